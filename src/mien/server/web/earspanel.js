// @ts-check
/** The panel beside the microphone's button: how to talk, with which microphone, and who listens. */
import { getEars } from "./api.js";
import { find, make } from "./dom.js";
import { language, localised, onLanguage, t } from "./i18n.js";
import { isAlone } from "./webspeech.js";

/** @typedef {import("./i18n.js").Text} Text */
/** ``limits``: what one should know before choosing it. @typedef {{name: string, label: Text, languages: string[], available: boolean, why: Text | null, limits?: Text | null}} Listed */
/** @typedef {string | {name: string, available?: boolean, why?: Text | null}} ListedMode */

export class EarsPanel {
  #button = /** @type {HTMLButtonElement} */ (find("[data-testid=ears]"));
  #panel = find(".ears");
  #devices = /** @type {HTMLSelectElement} */ (find(".ears-device"));
  #engines = /** @type {HTMLSelectElement} */ (find(".ears-engine"));
  #why = find(".ears-why");
  #modes = /** @type {HTMLInputElement[]} */ ([...this.#panel.querySelectorAll("[name=ears-mode]")]);
  #off = /** @type {HTMLButtonElement} */ (find(".ears-off"));
  /** @type {Listed[]} */ #listed = [];
  /** @type {ListedMode[]} */ #offered = [];

  /** @param {import("./ears.js").Ears} ears */
  constructor(ears) {
    this.ears = ears;
    this.#button.addEventListener("click", () => this.toggle());
    find(".ears-close").addEventListener("click", () => this.toggle(false));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation(); // elsewhere it silences the presenter
      this.toggle(false);
    });
    addEventListener("pointerdown", ({ target }) => {
      if (target instanceof Element && !target.closest(".ears, [data-testid=ears], [data-testid=mic]")) this.toggle(false, false);
    });
    for (const mode of this.#modes) {
      mode.addEventListener("change", () => ears.choose(/** @type {import("./serverears.js").Mode} */ (mode.value)));
    }
    this.#devices.addEventListener("change", () => ears.microphone.capture.choose(this.#devices.value));
    this.#engines.addEventListener("change", () => ears.listenWith(this.#engines.value));
    this.#off.addEventListener("click", () => (ears.isOn ? ears.off() : ears.on()));
    onLanguage(() => this.show());
  }

  toggle(open = this.#panel.hidden, focus = true) {
    if (open !== this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (focus) (open ? this.#panel : this.#button).focus();
    if (!open) return;
    this.show();
    this.#ask();
  }

  /** What can listen changes as models are fetched. */
  async #ask() {
    try {
      const { recognizers, modes } = await getEars();
      this.#listed = recognizers;
      this.#offered = /** @type {ListedMode[]} */ (modes ?? []);
    } catch {
      // An older choice is shown; the connection has its own messages.
    }
    this.show();
  }

  /** @param {number} level 0…1 */
  level(level) {
    if (!this.#panel.hidden) find(".ears-level i").style.width = `${Math.round(100 * level)}%`;
  }

  show() {
    if (this.#panel.hidden) return;
    const { ears } = this;
    for (const mode of this.#modes) this.#showMode(mode);
    for (const word of this.#panel.querySelectorAll("[data-wake]")) {
      word.textContent = t(`mode_${word.getAttribute("data-wake")}_text`, { word: ears.wakeWord });
    }
    this.#showEngines();
    this.#off.textContent = t(ears.isOn ? "ears_off" : "ears_on");
    this.#showDevices();
  }

  /** @param {HTMLInputElement} input */
  #showMode(input) {
    input.checked = input.value === this.ears.choice.mode;
    const offered = this.#offered.find((mode) => (typeof mode === "string" ? mode : mode.name) === input.value);
    const missing = typeof offered === "object" && offered.available === false;
    input.disabled = missing && !input.checked;
    const note = find(".ears-missing", /** @type {HTMLElement} */ (input.closest("label")));
    note.textContent = missing ? t("mode_missing", { why: localised(offered.why) }) : "";
  }

  #showEngines() {
    const { server: { state }, choice: { engine } } = this.ears;
    const now = state?.engine ? localised(state.label) : "";
    const auto = new Option(engine === "auto" && now ? t("ears_auto_is", { label: now }) : t("ears_auto"), "auto");
    const others = this.#listed.map(({ name, label, languages, available }) => {
      const fits = available && languages.includes(language());
      const option = new Option(localised(label) + (fits ? "" : ` (${t("ears_absent")})`), name);
      option.disabled = !fits && name !== engine;
      return option;
    });
    if (engine !== "auto" && !this.#listed.some(({ name }) => name === engine)) others.push(new Option(engine, engine));
    this.#engines.replaceChildren(auto, ...others);
    this.#engines.value = engine;
    this.#why.replaceChildren(...this.#explain().filter(Boolean).map((text) => make("span", "", text)));
    const absent = this.#listed.filter(({ available }) => !available);
    find(".ears-absent").replaceChildren(...absent.map(({ label, why }) => make("li", "", make("b", "", localised(label)), `: ${localised(why)}`)));
  }

  /** Who listens, why it is this one, and what its limits are. @returns {string[]} */
  #explain() {
    const { state } = this.ears.server;
    if (!state) return [t("ears_limit_browser"), isAlone() ? t("ears_limit_alone") : ""];
    const listed = this.#listed.find(({ name }) => name === state.engine);
    const browser = state.engine === "browser";
    const limits = localised(listed?.limits) || (browser ? t("ears_limit_browser") : "");
    return [state.engine ? t("ears_now", { label: localised(state.label) }) : "", localised(state.why), limits, browser && isAlone() ? t("ears_limit_alone") : ""];
  }

  async #showDevices() {
    const { capture } = this.ears.microphone;
    const devices = await capture.devices();
    const options = devices.map(({ deviceId, label }, n) => new Option(label || t("ears_device_nth", { n: n + 1 }), deviceId));
    // Before it is allowed, nothing is told of what there is.
    if (!options.length) options.push(new Option(t("ears_device_default"), ""));
    this.#devices.disabled = options.length < 2;
    this.#devices.replaceChildren(...options);
    if (capture.device) this.#devices.value = capture.device;
  }
}
