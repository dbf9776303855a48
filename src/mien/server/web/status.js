// @ts-check
/** How the page stands with the server, and what the presenter does: always in words, not colour alone. */
import { find } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

/** @typedef {"connecting" | "live" | "reconnecting" | "offline"} Link */
/** @typedef {"idle" | "listening" | "thinking" | "speaking"} Activity */

export class Status {
  #root = document.documentElement;
  #server = true;
  #media = false;
  #events = false;
  #wasLive = false;
  #picture = false;
  /** @type {Activity} */ #activity = "idle";
  #held = false;
  /** Why nothing is shown, in place of the usual words. @type {() => string} */ #reason = () => "";

  constructor() {
    for (const kind of ["online", "offline"]) addEventListener(kind, () => this.#paint());
    onLanguage(() => this.#paint());
    this.#paint();
  }

  /** @param {{server?: boolean, media?: boolean, events?: boolean, picture?: boolean}} change */
  set({ server = this.#server, media = this.#media, events = this.#events, picture = this.#picture }) {
    this.#server = server;
    this.#media = media;
    this.#events = events;
    this.#picture = picture;
    if (media && events) this.#wasLive = true;
    if (media && picture) this.#reason = () => "";
    this.#paint();
  }

  /** @param {() => string} words a function, so that it follows the language */
  explain(words) {
    this.#reason = words;
    this.#paint();
  }

  /** @param {Activity} activity */
  act(activity) {
    this.#activity = activity;
    this.#paint();
  }

  /** The presenter has fallen silent to hear whether somebody wants to speak. @param {boolean} held */
  hold(held) {
    this.#held = held;
    this.#paint();
  }

  get held() {
    return this.#held;
  }

  get activity() {
    return this.#activity;
  }

  /** @returns {Link} */
  get link() {
    if (!navigator.onLine && !this.#media) return "offline";
    if (this.#media && this.#events) return "live";
    if (!this.#server) return "offline";
    return this.#wasLive ? "reconnecting" : "connecting";
  }

  #paint() {
    const { link } = this;
    this.#root.dataset.connection = link;
    this.#root.dataset.state = this.#activity;
    this.#root.toggleAttribute("data-held", this.#held);
    say(".connection-words", t(link));
    say(".state-words", t(this.#held ? "held" : this.#activity));
    const covered = !this.#media || !this.#picture;
    find(".veil").hidden = !covered;
    say(".veil-words", this.#reason() || t(`veil_${link === "live" ? "connecting" : link}`));
    this.#root.classList.toggle("has-picture", this.#picture);
  }
}

/** Unchanged words are left alone, or a screen reader would say them again. @param {string} selector @param {string} words */
function say(selector, words) {
  const element = find(selector);
  if (element.textContent !== words) element.textContent = words;
}
