// @ts-check
/** The line on the picture: who this is, and that nobody is: it was made by AI. */
import { find } from "./dom.js";
import { localised, onLanguage } from "./i18n.js";

/**
 * Ways to watch for a page that says itself that AI made the picture: none is drawn into it.
 * @param {{whep: string, ws: string}} session
 */
export const underPlate = ({ whep, ws }) => ({ whep: `${whep}?labelled=1`, ws: `${ws}?labelled=1` });

export class Plate {
  #name = find(".plate-name");
  /** @type {import("./i18n.js").Text} */ #label = "";

  constructor() {
    onLanguage(() => this.#paint());
  }

  /** @param {import("./i18n.js").Text | undefined} label who it is */
  call(label) {
    this.#label = label ?? "";
    this.#paint();
  }

  #paint() {
    this.#name.textContent = localised(this.#label);
  }
}
