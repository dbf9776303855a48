// @ts-check
/** What an answer rests on, as cards below it. All of it was written by others: text, never HTML. */
import { make } from "./dom.js";
import { language, t } from "./i18n.js";

/**
 * @typedef {object} Source
 * @property {number} number what the answer cites it by
 * @property {string} title
 * @property {string} url
 * @property {string} site of a page its site, of a document the headings it stands under
 * @property {string} snippet
 * @property {string} published as the source says
 * @property {"web" | "document"} kind
 */

/** Characters that turn the direction of what follows: a title must not write over its neighbours. */
const TURNING = /[\u0000-\u001f\u007f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** @param {unknown} text @param {number} [most] characters */
const plain = (text, most = 200) => String(text ?? "").replace(TURNING, " ").trim().slice(0, most);

/** An address that may be opened; null for any other (javascript:, data:, with a password in it …). @param {unknown} address */
export function openable(address) {
  try {
    const url = new URL(String(address));
    const known = url.protocol === "https:" || url.protocol === "http:";
    return known && !url.username && !url.password ? url : null;
  } catch {
    return null;
  }
}

/** @param {string} published */
export function day(published) {
  const iso = /^(\d{4})-(\d{2})-(\d{2})/.exec(published);
  if (!iso) return plain(published, 24);
  const date = new Date(Date.UTC(Number(iso[1]), Number(iso[2]) - 1, Number(iso[3])));
  if (Number.isNaN(date.getTime())) return "";
  const style = /** @type {const} */ ({ dateStyle: "medium", timeZone: "UTC" });
  return date.toLocaleDateString(language() === "zh" ? "zh-CN" : "en-GB", style);
}

/** The cards of one answer; sources that come later are added behind. */
export class SourceCards {
  #list = make("ul", "source-list");
  #passage = make("p", "source-passage");
  element = make("div", "sources", this.#list, this.#passage);
  /** @type {Set<number>} */ #shown = new Set();
  /** Write what depends on the language. @type {(() => void)[]} */ #words = [];

  constructor() {
    this.element.dataset.testid = "sources";
    this.#list.dataset.i18nLabel = "sources";
    this.#list.setAttribute("aria-label", t("sources"));
    this.#passage.hidden = true;
  }

  /** @param {Source[]} sources all so far */
  show(sources) {
    for (const source of sources) {
      if (this.#shown.has(source.number)) continue;
      this.#shown.add(source.number);
      const item = make("li", "", this.#card(source));
      this.#list.append(item);
    }
  }

  /** In the language the page has now. */
  relabel() {
    for (const write of this.#words) write();
  }

  /** @param {Source} source */
  #card(source) {
    const url = openable(source.url);
    const site = plain(source.site, 80) || (url?.hostname ?? "");
    const number = make("span", "source-number", String(Number(source.number) || "•"));
    const [title, fine] = [make("bdi", "source-title"), make("bdi", "source-site")];
    const write = () => {
      title.textContent = plain(source.title) || site || t("source_untitled");
      fine.textContent = [site, day(plain(source.published, 40))].filter(Boolean).join(" · ");
    };
    write();
    this.#words.push(write);
    const parts = [number, title, fine];
    const card = url ? link(url, parts) : this.#text(source, parts);
    card.classList.add("source");
    card.dataset.testid = "source";
    card.dataset.kind = source.kind === "document" ? "document" : "web";
    card.title = plain(source.snippet);
    return card;
  }

  /** There is nowhere to go: it shows the passage itself. @param {Source} source @param {Node[]} parts */
  #text({ snippet }, parts) {
    const passage = plain(snippet, 600);
    if (!passage) return make("span", "", ...parts);
    const button = /** @type {HTMLButtonElement} */ (make("button", "", ...parts));
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      for (const other of this.#list.querySelectorAll("[aria-expanded]")) other.setAttribute("aria-expanded", "false");
      button.setAttribute("aria-expanded", String(open));
      this.#passage.textContent = open ? passage : "";
      this.#passage.hidden = !open;
    });
    return button;
  }
}

/** @param {URL} url @param {Node[]} parts */
function link(url, parts) {
  const card = /** @type {HTMLAnchorElement} */ (make("a", "", ...parts));
  card.href = url.href;
  card.target = "_blank";
  card.rel = "noopener noreferrer nofollow";
  return card;
}
