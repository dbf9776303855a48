// @ts-check
/** One output as a row: where it goes, how it stands, and what can be done about it. */
import { make } from "./dom.js";
import { localised, t } from "./i18n.js";

/** @typedef {import("./outputs.js").Output} Output */
/** @typedef {{onStop: () => void, onRetry: () => void, onPause: (paused: boolean) => void}} AirActs */

/** Outputs that write files. */
export const FILES = ["mp4", "webm"];

export class AirRow {
  element = make("li", "air");
  /** @type {Output} */ output;
  #label = make("b", "air-label");
  #state = make("span", "air-state");
  #figures = make("span", "air-figures look-fine");
  #why = make("p", "air-why");
  #buttons = make("div", "air-buttons");
  /** When the server told it, so that seconds go on between two tellings. */ #at = 0;
  /** @type {{at: number, bytes: number} | null} */ #before = null;
  #rate = 0;

  /** @param {Output} output @param {AirActs} acts */
  constructor(output, acts) {
    this.output = output;
    this.acts = acts;
    this.element.dataset.testid = "air";
    this.element.dataset.id = output.id;
    this.#state.setAttribute("role", "status");
    const words = make("p", "air-words", make("span", "dot"), this.#state, this.#figures);
    this.element.append(this.#label, words, this.#buttons, this.#why);
    this.show(output);
  }

  /** @param {Output} output */
  show(output) {
    const changed = this.output.state !== output.state || !this.element.dataset.state;
    if (changed) this.#before = null;
    this.output = output;
    this.#at = performance.now();
    this.#measure(output.figures.bytes);
    this.element.dataset.state = output.state;
    const recording = output.state === "live" && FILES.includes(output.kind);
    this.#say(this.#label, output.label);
    this.#label.title = output.label;
    this.#say(this.#state, t(recording ? "air_recording" : `air_${output.state}`));
    this.#say(this.#why, output.state === "live" ? "" : localised(output.reason?.message));
    if (changed) this.#offer();
    this.tick();
  }

  /** Time goes on. */
  tick() {
    const { state, seconds, retry_in: wait, kind, profile, figures, reconnects } = this.output;
    const since = (performance.now() - this.#at) / 1000;
    /** @type {string[]} */ const parts = [];
    if (state === "waiting") parts.push(t("air_retry_in", { n: Math.max(0, Math.ceil((wait ?? 0) - since)) }));
    if (state === "live" || state === "paused") {
      parts.push(clock(Number(figures.seconds ?? seconds) + (figures.seconds === undefined ? since : 0)));
      if (FILES.includes(kind)) parts.push(size(figures.bytes));
      else if (this.#rate) parts.push(`${(this.#rate * 8 / 1e6).toFixed(1)} Mb/s`);
      if (Number(figures.minutes_left) < 10) parts.push(t("record_minutes_left", { n: figures.minutes_left }));
      if (profile !== "source") parts.push(profile);
      if (reconnects) parts.push(t("air_reconnects", { n: reconnects }));
    }
    this.#figures.textContent = parts.join(" · ");
  }

  /** Language has changed. */
  translate() {
    this.element.dataset.state = "";
    this.show(this.output);
  }

  /** @param {number} bytes */
  #measure(bytes) {
    const at = performance.now();
    if (!this.#before) this.#rate = 0;
    else if (at - this.#before.at < 900) return;
    else this.#rate = Math.max(0, (bytes - this.#before.bytes) / ((at - this.#before.at) / 1000));
    this.#before = { at, bytes };
  }

  #offer() {
    const { state, can_pause: canPause, label } = this.output;
    const held = this.#buttons.contains(document.activeElement);
    this.#buttons.replaceChildren();
    if (state === "waiting" || state === "failed") this.#button("air_retry", () => this.acts.onRetry());
    if (canPause && state === "live") this.#button("air_pause", () => this.acts.onPause(true));
    if (canPause && state === "paused") this.#button("air_resume", () => this.acts.onPause(false));
    const stop = this.#button(state === "failed" ? "air_remove" : "air_stop", () => this.acts.onStop());
    stop.setAttribute("aria-label", `${stop.textContent}: ${label}`);
    if (held) stop.focus();
  }

  /** @param {string} words @param {() => void} act */
  #button(words, act) {
    const button = /** @type {HTMLButtonElement} */ (make("button", "plain", t(words)));
    button.type = "button";
    button.dataset.testid = words.replace("_", "-");
    button.addEventListener("click", act);
    this.#buttons.append(button);
    return button;
  }

  /** Unchanged words are left alone, or a screen reader would say them again. @param {Element} element @param {string} words */
  #say(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }
}

/** @param {number} seconds */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** @param {number} bytes */
const size = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
