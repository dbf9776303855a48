// @ts-check
/** The clause being said, over the lower part of the picture, its spoken part bright. */
import { find } from "./dom.js";

/** Long enough to finish reading the last words, short enough not to look stuck. */
const LINGER_MS = 1500;
/** A voice without word times sends no words; its clause is then shown as a whole. */
const NO_WORDS_MS = 700;

export class Captions {
  #box = find(".caption");
  #lines = find(".caption p");
  #spoken = find(".caption .spoken");
  #coming = find(".caption .coming");
  #live = find("#caption-live");
  #text = "";
  #at = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #hide;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #whole;

  /** @param {number | string} turn @param {number | string} clause @param {string} text */
  clause(turn, clause, text) {
    clearTimeout(this.#hide);
    clearTimeout(this.#whole);
    this.#at = `${turn}/${clause}`;
    this.#text = text.trim() ? text : "";
    this.#paint(0);
    this.#live.textContent = this.#text;
    this.#whole = setTimeout(() => this.#paint(this.#text.length), NO_WORDS_MS);
  }

  /** @param {number | string} turn @param {number | string} clause @param {number} stop UTF-16 offset */
  word(turn, clause, stop) {
    if (this.#at !== `${turn}/${clause}`) return;
    clearTimeout(this.#whole);
    // Nobody says a comma: it belongs to the word before it.
    const mute = /^[\p{P}\s]*/u.exec(this.#text.slice(stop))?.[0].length ?? 0;
    this.#paint(stop + mute);
  }

  /** The turn is over; an interrupted one goes at once, as the voice did. @param {boolean} complete */
  end(complete) {
    clearTimeout(this.#whole);
    clearTimeout(this.#hide);
    if (complete) this.#paint(this.#text.length);
    this.#hide = setTimeout(() => this.clear(), complete ? LINGER_MS : 250);
  }

  clear() {
    this.#at = "";
    this.#text = "";
    this.#paint(0);
  }

  /** @param {number} stop */
  #paint(stop) {
    this.#spoken.textContent = this.#text.slice(0, stop);
    this.#coming.textContent = this.#text.slice(stop);
    this.#box.hidden = !this.#text;
    this.#follow();
  }

  /** A clause of more lines than are shown: by whole lines, keep the one being said in view. */
  #follow() {
    const rects = this.#spoken.getClientRects();
    const last = rects[rects.length - 1];
    const lineHeight = parseFloat(getComputedStyle(this.#lines).lineHeight);
    if (!last || !lineHeight) return;
    const middle = (last.top + last.bottom) / 2 - this.#lines.getBoundingClientRect().top + this.#lines.scrollTop;
    const shown = Math.round(this.#lines.clientHeight / lineHeight);
    // The line after it is shown too, for those who read ahead.
    this.#lines.scrollTop = (Math.floor(middle / lineHeight) + 2 - shown) * lineHeight;
  }
}
