// @ts-check
/** The voices as rows: which one speaks, which others could, and why the rest cannot. */
import * as api from "./api.js";
import { find, make } from "./dom.js";
import { localised, t } from "./i18n.js";
import { forget, recall, remember } from "./memory.js";

/** @typedef {import("./api.js").Named} Named */

const KEY = "mien.voice";

/** What this visitor chose last, for the next session. */
export const rememberedVoice = () => recall(KEY) ?? undefined;

const REFUSED = ["no_such_voice", "voice_not_ready"];

/** Whether a session was refused for the voice that was remembered, which is then forgotten. @param {unknown} error */
export const forgetVoice = (error) => error instanceof api.ApiError && REFUSED.includes(error.code) && forget(KEY);

/** The next session begins with the usual one. */
export const dropVoice = () => forget(KEY);

export class Voices {
  #list = find(".voices");
  #said = find(".voices-said");
  /** @type {Named[]} */ #offered = [];
  /** The one that is wanted; another may stand in for it. */ #chosen = "";
  /** The one that is being loaded. */ #coming = "";

  /**
   * @param {() => string | undefined} session its id, while there is one
   * @param {() => void} onShown the rows have changed
   */
  constructor(session, onShown) {
    this.session = session;
    this.onShown = onShown;
  }

  get chosen() {
    return this.#chosen;
  }

  /** What the session speaks with, whoever changed it. @param {string} name */
  show(name) {
    this.#chosen = name;
    this.#draw();
  }

  /** Asks which there are now. */
  async offer() {
    try {
      this.#offered = await api.getVoices();
      this.#draw();
    } catch (error) {
      this.#tell(words(error));
    }
  }

  /** The last one that is asked for counts. @param {string} name @returns {Promise<string>} why it cannot speak */
  async choose(name) {
    const id = this.session();
    if (!id || name === this.#coming) return "";
    this.#said.textContent = "";
    this.#coming = name;
    this.#draw();
    try {
      const { voice } = await api.changeVoice(id, name);
      if (this.#coming !== name) return "";
      this.#chosen = voice.wanted;
      remember(KEY, name);
      return "";
    } catch (error) {
      return this.#coming === name ? words(error) : "";
    } finally {
      if (this.#coming === name) {
        this.#coming = "";
        this.#draw();
      }
    }
  }

  /** @param {string} name */
  async #pick(name) {
    this.#tell(await this.choose(name));
    await this.offer();
  }

  #draw() {
    const focused = document.activeElement?.getAttribute("data-voice");
    this.#list.replaceChildren(...this.#offered.map((voice) => this.#row(voice)));
    this.#list.setAttribute("aria-busy", String(Boolean(this.#coming)));
    if (focused) /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-voice="${CSS.escape(focused)}"]`))?.focus();
    this.onShown();
  }

  /** @param {Named} voice */
  #row({ name, label, ready, why_not }) {
    const coming = name === this.#coming;
    const about = make("span", "voice-about", make("span", "voice-name", localised(label) || name));
    const state = make("span", "voice-state", coming ? t("voice_loading") : ready === false ? t("not_ready") : "");
    const row = /** @type {HTMLButtonElement} */ (make("button", "voice", about, state));
    row.type = "button";
    row.dataset.voice = name;
    row.dataset.testid = `voice-${name}`;
    row.setAttribute("aria-pressed", String(name === this.#chosen));
    row.classList.toggle("coming", coming);
    if (ready === false && !coming) {
      about.append(make("span", "voice-why", localised(why_not)));
      row.classList.add("absent");
    }
    // One that was not ready may be by now.
    row.addEventListener("click", () => this.#pick(name));
    return row;
  }

  /** @param {string} why */
  #tell(why) {
    this.#said.textContent = why;
    if (why) this.#said.scrollIntoView({ block: "nearest" });
  }
}

/** @param {unknown} error */
function words(error) {
  if (!(error instanceof api.ApiError)) throw error;
  // Of a session that has ended the page tells by itself.
  return error.code === "no_such_session" ? "" : error.words;
}
