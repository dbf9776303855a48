// @ts-check
/**
 * Speech to text by the browser alone, where its microphone cannot also go to the server: one speaks
 * at a time. Without echo cancellation a presenter that is listened to while it speaks answers itself.
 */
import { WebSpeech } from "./webspeech.js";

/** @typedef {import("./status.js").Activity} Activity */
/** @typedef {import("./webspeech.js").SpeechState} SpeechState */

/** The last sound is still on its way to the loudspeaker when the server says it is done. */
const TAIL_MS = 350;

/**
 * @typedef {object} HalfDuplexEvents
 * @property {(state: SpeechState) => void} onState
 * @property {() => void} onInterrupt the visitor wants to speak while the presenter answers
 * @property {(text: string) => void} onInterim
 * @property {(text: string) => void} onUtterance
 * @property {(key: string) => void} onProblem
 */

export class HalfDuplex {
  /** @type {Activity} */ #activity = "idle";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #tail;
  #speech;

  /** @param {HalfDuplexEvents} events */
  constructor(events) {
    this.events = events;
    this.#speech = new WebSpeech({
      ...events,
      onFinal: (text) => {
        // Closed at once: the answer may begin before the server's state arrives.
        this.#speech.pause();
        events.onUtterance(text);
      },
    });
  }

  get state() {
    return this.#speech.state;
  }

  on() {
    if (this.#isAnswering) {
      this.#activity = "idle";
      this.events.onInterrupt();
    }
    this.#speech.on();
  }

  off() {
    clearTimeout(this.#tail);
    this.#speech.off();
  }

  /** @param {Activity} activity */
  follow(activity) {
    this.#activity = activity;
    clearTimeout(this.#tail);
    if (this.#isAnswering) this.#speech.pause();
    else this.#tail = setTimeout(() => this.#speech.resume(), TAIL_MS);
  }

  renew() {
    this.#speech.renew();
  }

  get #isAnswering() {
    return this.#activity === "thinking" || this.#activity === "speaking";
  }
}
