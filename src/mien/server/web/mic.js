// @ts-check
/** Speech to text by the browser (Web Speech), kept running over its many ways to stop by itself. */
import { Backoff } from "./backoff.js";

/** @typedef {"off" | "listening" | "paused"} MicState */
/**
 * @typedef {object} MicEvents
 * @property {(state: MicState) => void} onState
 * @property {(text: string) => void} onInterim the utterance so far
 * @property {(text: string) => void} onFinal the utterance, finished
 * @property {(key: string) => void} onProblem a key of words.js; the microphone is then off
 */

/** Recognisers call a pause for breath final; what follows so soon belongs to the same utterance. */
const BREATH_MS = 700;
/** A recogniser ends after some 10 s of silence; after a minute or so nobody is speaking. */
const MOST_SILENT = 8;
/** One failure may be a hiccup; a service that is not there fails every time. */
const MOST_NETWORK = 2;

/** Errors that trying again does not mend, and what to tell. */
const FATAL = /** @type {Record<string, string>} */ ({
  "not-allowed": "mic_denied",
  "service-not-allowed": "mic_service",
  "audio-capture": "mic_missing",
  "language-not-supported": "mic_language",
});

/** Why the microphone cannot work here at all, or null. */
export function micObstacle() {
  if (!window.isSecureContext) return "mic_insecure";
  if (recogniser()) return null;
  return /firefox/i.test(navigator.userAgent) ? "mic_firefox" : "mic_unsupported";
}

/** @returns {(new () => any) | undefined} */
function recogniser() {
  const any = /** @type {any} */ (window);
  return any.SpeechRecognition ?? any.webkitSpeechRecognition;
}

export class Mic {
  /** @type {any} */ #running = null;
  /** @type {MicState} */ #state = "off";
  #said = "";
  #silent = 0;
  #network = 0;
  #backoff = new Backoff(150, 5000);
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #breath;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #restart;

  /** @param {MicEvents} events @param {string} tag BCP 47 */
  constructor(events, tag) {
    this.events = events;
    this.tag = tag;
  }

  get state() {
    return this.#state;
  }

  on() {
    const obstacle = micObstacle();
    if (obstacle) return this.events.onProblem(obstacle);
    this.#silent = 0;
    this.#network = 0;
    this.#backoff.reset();
    this.#become("listening");
    this.#begin();
  }

  off() {
    this.#become("off");
    this.#end();
  }

  /** Deaf while the presenter speaks, or it would answer itself. */
  pause() {
    if (this.#state !== "listening") return;
    this.#become("paused");
    this.#end();
  }

  resume() {
    if (this.#state !== "paused") return;
    this.#become("listening");
    this.#begin();
  }

  /** @param {string} tag */
  setLanguage(tag) {
    this.tag = tag;
    if (this.#state !== "listening") return;
    this.#end();
    this.#begin();
  }

  /** @param {MicState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.events.onState(state);
  }

  #end() {
    clearTimeout(this.#breath);
    clearTimeout(this.#restart);
    this.#said = "";
    const running = this.#running;
    this.#running = null;
    running?.abort();
  }

  #begin() {
    const Recogniser = recogniser();
    if (!Recogniser) return;
    const running = new Recogniser();
    running.lang = this.tag;
    running.interimResults = true;
    // Android repeats earlier results in continuous mode.
    running.continuous = !/android/i.test(navigator.userAgent);
    running.onresult = (/** @type {any} */ event) => running === this.#running && this.#onResult(event);
    running.onerror = (/** @type {any} */ event) => running === this.#running && this.#onError(event.error);
    running.onend = () => running === this.#running && this.#onEnd();
    this.#running = running;
    try {
      running.start();
    } catch {
      // The one before has not let go of the microphone yet.
      this.#onEnd();
    }
  }

  /** @param {any} event */
  #onResult(event) {
    clearTimeout(this.#breath);
    this.#silent = 0;
    this.#network = 0;
    this.#backoff.reset();
    let interim = "";
    for (let i = event.resultIndex; i < event.results.length; i++) {
      const { transcript } = event.results[i][0];
      if (event.results[i].isFinal) this.#said += transcript;
      else interim += transcript;
    }
    const text = (this.#said + interim).trim();
    if (text) this.events.onInterim(text);
    if (!interim && text) this.#breath = setTimeout(() => this.#finish(), BREATH_MS);
  }

  #finish() {
    const text = this.#said.trim();
    this.#said = "";
    if (text) this.events.onFinal(text);
  }

  /** @param {string} error */
  #onError(error) {
    if (error === "no-speech" && ++this.#silent >= MOST_SILENT) this.#giveUp("mic_silent");
    else if (error === "network" && ++this.#network >= MOST_NETWORK) this.#giveUp("mic_network");
    else if (error in FATAL) this.#giveUp(FATAL[error]);
  }

  /** @param {string} key */
  #giveUp(key) {
    this.off();
    this.events.onProblem(key);
  }

  /** Ends by itself after silence, and on phones after each utterance. */
  #onEnd() {
    this.#running = null;
    if (this.#state !== "listening") return;
    this.#restart = setTimeout(() => this.#state === "listening" && this.#begin(), this.#backoff.next());
  }
}
