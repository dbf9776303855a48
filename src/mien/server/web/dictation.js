// @ts-check
/** The browser's own recogniser beside the microphone: what it understands goes to the server as words. */
import { sendWords } from "./api.js";
import { WebSpeech } from "./webspeech.js";

/** Words grow several times a second; the server needs them less often. */
const EVERY_MS = 120;

export class Dictation {
  /** @type {MediaStreamTrack | null} */ #track = null;
  /** @type {string | null} */ #interim = null;
  #sending = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #speech;

  /**
   * @param {() => string | null} session its id, while there is one
   * @param {(key: string) => void} onProblem a key of words.js; this browser cannot
   */
  constructor(session, onProblem) {
    this.session = session;
    this.#speech = new WebSpeech(
      {
        onInterim: (text) => this.#grow(text),
        onFinal: (text) => this.#finish(text),
        onProblem: (key) => {
          this.stop();
          onProblem(key);
        },
      },
      { patient: true },
    );
  }

  /** @param {MediaStreamTrack} track */
  start(track) {
    if (this.#speech.state === "listening" && track === this.#track) return;
    this.#track = track;
    this.#speech.on(track);
  }

  /** No more is said for now: what was said becomes final. */
  finish() {
    this.#speech.finish();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#interim = null;
    this.#track = null;
    this.#speech.off();
  }

  renew() {
    this.#speech.renew();
  }

  /** @param {string} text */
  #grow(text) {
    this.#interim = text;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#interim !== null) this.#send(this.#interim, false);
    }, EVERY_MS);
  }

  /** @param {string} text */
  #finish(text) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#interim = null;
    this.#send(text, true);
  }

  /** One after the other, or an earlier word could arrive after the last. @param {string} text @param {boolean} final */
  #send(text, final) {
    this.#sending = this.#sending.then(async () => {
      const id = this.session();
      // A lost word is one that was not heard; the connection has its own messages.
      if (id) await sendWords(id, text, final).catch(() => {});
    });
  }
}
