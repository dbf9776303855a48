// @ts-check
/** The microphone's button: pressed once, or held like the space bar while one talks. */

/** Where the space bar already means something. */
const TAKEN = "input, textarea, select, button, summary, a, video, [contenteditable], dialog";

/**
 * @typedef {object} TalkEvents
 * @property {() => boolean} isPush whether it is to be held
 * @property {() => void} onClick
 * @property {(held: boolean) => void} onHold
 */

export class TalkButton {
  /** What holds it: a pointer, a key, or a click of an assistive tool, which cannot hold. @type {"pointer" | "key" | "click" | null} */ #by = null;
  #pressed = false;

  /** @param {HTMLElement} button @param {TalkEvents} events */
  constructor(button, events) {
    this.events = events;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !events.isPush()) return;
      this.#pressed = true;
      // The finger may slide off while one talks.
      button.setPointerCapture(event.pointerId);
      this.#hold("pointer");
    });
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(type, () => this.#letGo("pointer"));
    }
    button.addEventListener("click", () => {
      const pressed = this.#pressed;
      this.#pressed = false;
      if (!events.isPush()) return events.onClick();
      if (pressed) return;
      if (this.#by === "click") this.#letGo("click");
      else this.#hold("click");
    });
    // A long touch means "menu" elsewhere.
    button.addEventListener("contextmenu", (event) => events.isPush() && event.preventDefault());
    addEventListener("keydown", (event) => {
      if (!events.isPush() || !isTalkKey(event, button)) return;
      event.preventDefault();
      if (!event.repeat) this.#hold("key");
    });
    addEventListener("keyup", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      if (this.#by === "key") event.preventDefault();
      this.#letGo("key");
    });
    // The key or finger is let go where this page does not see it.
    addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => document.hidden && this.release());
  }

  release() {
    if (this.#by) this.#letGo(this.#by);
  }

  /** @param {"pointer" | "key" | "click"} by */
  #hold(by) {
    if (this.#by) return;
    this.#by = by;
    this.events.onHold(true);
  }

  /** @param {"pointer" | "key" | "click"} by */
  #letGo(by) {
    if (this.#by !== by) return;
    this.#by = null;
    this.events.onHold(false);
  }
}

/** @param {KeyboardEvent} event @param {HTMLElement} button */
function isTalkKey(event, button) {
  if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return false;
  if (event.target === button) return event.key === " " || event.key === "Enter";
  return event.key === " " && !(event.target instanceof Element && event.target.closest(TAKEN));
}
