// @ts-check
/** Who is answering: the brain, the voice and the face of this session, and what each of them is. */
import { find, make } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";

/** @typedef {import("./i18n.js").Text} Text */
/** @typedef {import("./api.js").Named} Named */
/** @typedef {{name: string, label?: Text, connected?: boolean}} Part */
/** Who speaks; ``why``: why it is not the wanted one. @typedef {Part & {wanted?: string, wanted_label?: Text, why?: Text | null}} Speaker */
/** @typedef {"brain" | "voice" | "face"} Which */

const PARTS = /** @type {const} */ (["brain", "voice", "face"]);

export class Who {
  #more = find(".who-more");
  /** @type {{brain?: Part, voice?: Speaker, face?: Part}} */ #parts = {};
  /** Null while they are asked. @type {Named[] | null} */ #voices = null;
  /** @type {Which | null} */ #open = null;

  /**
   * @param {() => void} onFace the visitor wants another face
   * @param {() => void} onVoice the visitor wants another voice
   * @param {() => Promise<Named[]>} askVoices which voices can speak now
   */
  constructor(onFace, onVoice, askVoices) {
    this.onVoice = onVoice;
    this.askVoices = askVoices;
    this.#chip("face").addEventListener("click", onFace);
    for (const which of /** @type {const} */ (["brain", "voice"])) {
      this.#chip(which).addEventListener("click", () => {
        this.#open = this.#open === which ? null : which;
        if (this.#open === "voice") this.#ask();
        this.#paint();
      });
    }
    const close = () => {
      if (!this.#open) return;
      this.#open = null;
      this.#paint();
    };
    addEventListener("pointerdown", ({ target }) => {
      if (target instanceof Element && !target.closest(".who, .who-more")) close();
    });
    addEventListener("keydown", ({ key }) => key === "Escape" && close());
    onLanguage(() => this.#paint());
    this.#paint();
  }

  /** @param {{brain?: Part, voice?: Speaker, face?: Part}} parts */
  show({ brain, voice, face }) {
    this.#parts = { brain, voice, face };
    this.#paint();
  }

  /** @param {Part} face */
  changeFace(face) {
    this.#parts.face = face;
    this.#paint();
  }

  /** Whether it speaks in place of another; one that somebody chose does not. @param {Speaker} voice */
  changeVoice(voice) {
    const before = this.#parts.voice;
    this.#parts.voice = voice;
    this.#paint();
    return voice.wanted === before?.wanted && voice.name !== before?.name;
  }

  /** Asked each time, because what can speak changes. */
  async #ask() {
    this.#voices = null;
    this.#voices = await this.askVoices().catch(() => []);
    this.#paint();
  }

  get #standIn() {
    const { voice } = this.#parts;
    return voice?.wanted !== undefined && voice.wanted !== voice.name;
  }

  /** @param {Which} which */
  #chip(which) {
    return find(`[data-part=${which}]`);
  }

  /** @param {Which} which */
  #name(which) {
    const part = this.#parts[which];
    if (!part) return t("unknown");
    if (which === "brain" && part.connected === false) return t("brain_none");
    return localised(part.label) || part.name;
  }

  #paint() {
    for (const which of PARTS) {
      const chip = this.#chip(which);
      const mark = make("span", "mark");
      mark.setAttribute("aria-hidden", "true");
      // The space is for those who read the text itself; the layout drops it.
      chip.replaceChildren(mark, make("span", "chip-part", `${t(which)}:`), " ", make("span", "chip-name", this.#name(which)));
      chip.classList.toggle("waiting", !this.#parts[which]);
      const missing = which === "brain" && this.#parts.brain?.connected === false;
      const standsIn = which === "voice" && this.#standIn;
      chip.classList.toggle("missing", missing || standsIn);
      if (which !== "face") chip.setAttribute("aria-expanded", String(this.#open === which));
    }
    this.#more.hidden = !this.#open;
    this.#more.replaceChildren(...(this.#open ? this.#explain(this.#open) : []));
  }

  /** @param {Which} which @returns {Node[]} */
  #explain(which) {
    const part = this.#parts[which];
    const title = make("p", "who-title", `${t(which)}: ${this.#name(which)}`);
    if (which === "brain" && part?.connected === false) {
      const command = make("code", "", "ZHIPUAI_API_KEY=… mien run --llm glm");
      return [title, ...["brain_none_text", "brain_how"].map((key) => make("p", "", t(key))), command, make("p", "who-sub", t("brain_any"))];
    }
    if (which !== "voice") return [title, make("p", "", t(`${which}_text`))];
    return [title, make("p", "", t("voice_text")), ...this.#wanted(), ...this.#others(), this.#choose()];
  }

  /** Who should speak instead, and why not. */
  #wanted() {
    const { voice } = this.#parts;
    if (!voice || !this.#standIn) return [];
    const wanted = localised(voice.wanted_label) || (voice.wanted ?? "");
    return [make("p", "", t("voice_stand_in_text", { wanted })), make("p", "who-sub", localised(voice.why))];
  }

  #choose() {
    const button = /** @type {HTMLButtonElement} */ (make("button", "who-choose", t("voice_choose")));
    button.type = "button";
    button.dataset.testid = "voice-choose";
    button.addEventListener("click", () => {
      this.#open = null;
      this.#paint();
      this.onVoice();
    });
    return button;
  }

  #others() {
    if (!this.#voices) return [make("p", "who-sub", t("voices_looking"))];
    const others = this.#voices.filter(({ name }) => name !== this.#parts.voice?.name);
    if (!others.length) return [];
    const rows = others.map(({ name, label, ready, why_not }) => {
      const why = localised(why_not);
      const state = ready === undefined ? "" : ready ? `: ${t("ready")}` : `: ${t("not_ready")}${why ? `, ${why}` : ""}`;
      return make("li", ready === false ? "absent" : "", make("b", "", localised(label) || name), state);
    });
    return [make("p", "who-sub", t("voices_more")), make("ul", "", ...rows)];
  }
}
