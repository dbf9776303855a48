// @ts-check
/** Sound is on from the start where the browser allows it; else a big button, and any gesture, turns it on. */
import { find, setIcon } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

export class Sound {
  #front;
  /** @type {Set<HTMLVideoElement>} */ #known = new Set();
  #tap = /** @type {HTMLButtonElement} */ (find(".tap"));
  #mute = /** @type {HTMLButtonElement} */ (find(".mute"));
  #blocked = false;
  #wanted = true;

  /** @param {HTMLVideoElement} video the one that is heard, at first */
  constructor(video) {
    this.#front = video;
    this.#tap.addEventListener("click", () => this.#unblock());
    this.#mute.addEventListener("click", () => {
      this.#wanted = this.#blocked || !this.#wanted;
      this.#blocked = false;
      this.#apply();
    });
    // Capture: also a gesture that something else handles counts. Escape is no gesture to browsers.
    for (const kind of ["pointerup", "keydown"]) {
      addEventListener(kind, (event) => this.#onGesture(event), { capture: true });
    }
    // A phone pauses what it hides.
    document.addEventListener("visibilitychange", () => {
      for (const video of this.#known) if (!document.hidden && video.paused) this.play(video);
    });
    onLanguage(() => this.#show());
  }

  /** Something new is to be played. @param {HTMLVideoElement} video */
  async play(video) {
    this.#known.add(video);
    this.#mix();
    await this.#start(video);
  }

  /** From now on this one is heard, and no other. @param {HTMLVideoElement} video */
  hear(video) {
    this.#front = video;
    this.#mix();
    // A phone may refuse sound to an element that has not been tapped for.
    if (video.paused) this.#start(video);
  }

  #mix() {
    for (const video of this.#known) video.muted = video !== this.#front || !this.#wanted || this.#blocked;
  }

  /** @param {HTMLVideoElement} video */
  async #start(video) {
    try {
      await video.play();
    } catch (error) {
      // AbortError: a newer stream took its place meanwhile.
      if (/** @type {DOMException} */ (error).name !== "NotAllowedError") return;
      this.#blocked = true;
      this.#mix();
      // May be refused as well (a phone saving power); the tap then starts the picture too.
      await video.play().catch(() => {});
    }
    this.#show();
  }

  /** @param {Event} event */
  #onGesture(event) {
    if (!this.#blocked || (event instanceof KeyboardEvent && event.key === "Escape")) return;
    if (event.target instanceof Element && event.target.closest(".tap, .mute")) return;
    this.#unblock();
  }

  #unblock() {
    this.#blocked = false;
    this.#wanted = true;
    this.#apply();
  }

  async #apply() {
    this.#mix();
    this.#show();
    // All of them: what plays in a gesture may be heard later without another.
    await Promise.all([...this.#known].map((video) => this.#start(video)));
  }

  #show() {
    this.#tap.hidden = !this.#blocked;
    this.#mute.hidden = this.#blocked;
    setIcon(this.#mute, this.#wanted ? "sound" : "muted");
    const words = t(this.#wanted ? "mute" : "unmute");
    this.#mute.setAttribute("aria-label", words);
    this.#mute.title = words;
  }
}
