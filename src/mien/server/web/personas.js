// @ts-check
/** Who the presenter can be: cards with a name and a line about each. */
import * as api from "./api.js";
import { find, make } from "./dom.js";
import { localised, t } from "./i18n.js";
import { forget, recall, remember } from "./memory.js";

/** @typedef {import("./api.js").ListedPersona} ListedPersona */
/** @typedef {{name: string, label: import("./i18n.js").Text, languages?: string[]}} Persona */

const KEY = "mien.persona";
/** Whoever a new session is asked for does not exist (any more), is broken, or has lost their documents. */
const REFUSED = ["no_such_persona", "broken_persona", "no_documents"];

/** Whom this visitor chose last, for the next session. */
export const rememberedPersona = () => recall(KEY) ?? undefined;

/** Whether a session was refused for the persona that was remembered, who is then forgotten. @param {unknown} error */
export const forgetPersona = (error) => error instanceof api.ApiError && REFUSED.includes(error.code) && forget(KEY);

export class Personas {
  #place = find(".personas-place");
  #list = find(".personas");
  #said = find(".personas-said");
  /** @type {ListedPersona[]} */ #offered = [];
  #shown = "";
  /** The one that is being asked for. */ #coming = "";

  /**
   * @param {() => string | undefined} session its id, while there is one
   * @param {(snapshot: any) => void} onChosen it plays another one now
   */
  constructor(session, onChosen) {
    this.session = session;
    this.onChosen = onChosen;
  }

  /** Whom the session plays, whoever changed it. @param {string} name */
  show(name) {
    this.#shown = name;
    this.#draw();
  }

  /** Asks which there are now. */
  async offer() {
    try {
      this.#offered = await api.getPersonas();
      this.#draw();
    } catch (error) {
      this.#tell(words(error));
    }
  }

  /** One at a time: while one is coming, no other is asked for. @param {string} name */
  async #pick(name) {
    const id = this.session();
    if (!id || name === this.#shown || this.#coming) return;
    this.#tell("");
    this.#coming = name;
    this.#draw();
    try {
      const snapshot = await api.changePersona(id, name);
      remember(KEY, name);
      this.#coming = "";
      this.onChosen(snapshot);
    } catch (error) {
      this.#tell(words(error));
    } finally {
      this.#coming = "";
      this.#draw();
    }
  }

  #draw() {
    const focused = document.activeElement?.getAttribute("data-persona");
    this.#list.replaceChildren(...this.#offered.map((persona) => this.#card(persona)));
    this.#list.setAttribute("aria-busy", String(Boolean(this.#coming)));
    this.#place.hidden = this.#offered.length < 2;
    if (focused) /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-persona="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {ListedPersona} persona */
  #card({ name, label, about, why_not }) {
    const title = localised(label) || name;
    const words = make("span", "voice-about", make("span", "voice-name", title), make("span", "persona-line", localised(about)));
    const state = make("span", "voice-state", name === this.#coming ? t("persona_coming") : why_not ? t("not_ready") : "");
    const card = /** @type {HTMLButtonElement} */ (make("button", "voice persona", words, state));
    card.type = "button";
    card.dataset.persona = name;
    card.dataset.testid = `persona-${name}`;
    card.setAttribute("aria-pressed", String(name === this.#shown));
    card.classList.toggle("coming", name === this.#coming);
    if (why_not) {
      words.append(make("span", "voice-why", localised(why_not)));
      card.classList.add("absent");
      card.setAttribute("aria-disabled", "true");
    } else card.addEventListener("click", () => this.#pick(name));
    return card;
  }

  /** @param {string} why */
  #tell(why) {
    this.#said.textContent = why;
  }
}

/** @param {unknown} error */
function words(error) {
  if (!(error instanceof api.ApiError)) throw error;
  // Of a session that has ended the page tells by itself.
  return error.code === "no_such_session" ? "" : error.words;
}
