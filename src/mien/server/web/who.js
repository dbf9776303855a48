// @ts-check
/** Who is answering: the brain, the voice and the face of this session, and what each of them is. */
import { find, make } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";

/** @typedef {import("./i18n.js").Text} Text */
/** @typedef {import("./api.js").Named} Named */
/** @typedef {{name: string, label?: Text, connected?: boolean}} Part */
/** @typedef {"brain" | "voice" | "face"} Which */

const PARTS = /** @type {const} */ (["brain", "voice", "face"]);

export class Who {
  #more = find(".who-more");
  /** @type {Partial<Record<Which, Part>>} */ #parts = {};
  /** @type {Named[]} */ #voices = [];
  /** @type {Which | null} */ #open = null;

  /** @param {() => void} onFace the visitor wants another face */
  constructor(onFace) {
    this.#chip("face").addEventListener("click", onFace);
    for (const which of /** @type {const} */ (["brain", "voice"])) {
      this.#chip(which).addEventListener("click", () => {
        this.#open = this.#open === which ? null : which;
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

  /** @param {Partial<Record<Which, Part>>} parts */
  show({ brain, voice, face }) {
    this.#parts = { brain, voice, face };
    this.#paint();
  }

  /** @param {Part} face */
  changeFace(face) {
    this.#parts.face = face;
    this.#paint();
  }

  /** @param {{voices: Named[]}} offered */
  offer({ voices }) {
    this.#voices = voices ?? [];
    this.#paint();
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
      chip.classList.toggle("missing", which === "brain" && this.#parts.brain?.connected === false);
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
    const others = this.#voices.filter(({ name }) => name !== part?.name);
    return [title, make("p", "", t(`${which}_text`)), ...(which === "voice" ? this.#others(others) : [])];
  }

  /** @param {Named[]} others */
  #others(others) {
    if (!others.length) return [];
    const rows = others.map(({ name, label, ready, why_not }) => {
      const why = localised(why_not);
      const state = ready === undefined ? "" : ready ? `: ${t("ready")}` : `: ${t("not_ready")}${why ? `, ${why}` : ""}`;
      return make("li", ready === false ? "absent" : "", make("b", "", localised(label) || name), state);
    });
    return [make("p", "who-sub", t("voices_more")), make("ul", "", ...rows)];
  }
}
