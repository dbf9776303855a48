// @ts-check
/** Sound is on from the start where the browser allows it; else a big button, and any gesture, turns it on. */
import { find, setIcon } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

export class Sound {
  #video;
  #tap = /** @type {HTMLButtonElement} */ (find(".tap"));
  #mute = /** @type {HTMLButtonElement} */ (find(".mute"));
  #blocked = false;
  #wanted = true;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
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
    onLanguage(() => this.#show());
  }

  /** @param {MediaStream} stream */
  async play(stream) {
    this.#video.srcObject = stream;
    this.#video.muted = !this.#wanted || this.#blocked;
    await this.#start();
  }

  async #start() {
    try {
      await this.#video.play();
    } catch (error) {
      // AbortError: a newer stream took its place meanwhile.
      if (/** @type {DOMException} */ (error).name !== "NotAllowedError") return;
      this.#blocked = true;
      this.#video.muted = true;
      // May be refused as well (a phone saving power); the tap then starts the picture too.
      await this.#video.play().catch(() => {});
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
    this.#video.muted = !this.#wanted;
    this.#show();
    await this.#start();
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
