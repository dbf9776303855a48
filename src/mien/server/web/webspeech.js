// @ts-check
/** Speech to text by the browser (Web Speech), kept running over its many ways to stop by itself. */
import { Backoff } from "./backoff.js";
import { language } from "./i18n.js";
import { deniedIn } from "./micerrors.js";

/** @typedef {import("./i18n.js").Language} Language */
/** @typedef {"off" | "listening" | "paused"} SpeechState */
/**
 * @typedef {object} SpeechEvents
 * @property {(state: SpeechState) => void} [onState]
 * @property {(text: string) => void} onInterim the utterance so far
 * @property {(text: string) => void} onFinal the utterance, finished
 * @property {(key: string) => void} onProblem a key of words.js; it is then off
 */

/** BCP 47 */
const TAGS = { zh: "zh-CN", en: "en-US" };

/** Recognisers call a pause for breath final; what follows so soon belongs to the same utterance. */
const BREATH_MS = 700;
/** A recogniser ends after some 10 s of silence; after a minute or so nobody is speaking. */
const MOST_SILENT = 8;
/** One failure may be a hiccup; a service that is not there fails every time. */
const MOST_NETWORK = 2;

/** Errors that trying again does not mend, and what to tell. @type {Record<string, () => string>} */
const FATAL = {
  "not-allowed": () => deniedIn(navigator.userAgent, navigator.maxTouchPoints),
  "service-not-allowed": () => "speech_service",
  "audio-capture": () => "mic_missing",
  "language-not-supported": () => "speech_language",
};

/** What the presenter speaks; [] for anything. @type {string[]} */ let understood = [];

/** From the next words on. @param {string[]} languages the preferred one first */
export const understand = (languages) => (understood = languages);

/** What is most likely spoken to it: the language of the page, if it speaks that. @returns {Language} */
const spoken = () => (understood.length && !understood.includes(language()) ? /** @type {Language} */ (understood[0]) : language());

/** Android gives the microphone to one listener at a time, so nothing else can hear beside it. */
export const isAlone = () => /android/i.test(navigator.userAgent);

/** Why this browser has no speech recognition, or null. */
export function speechObstacle() {
  if (recogniser()) return null;
  return /firefox/i.test(navigator.userAgent) ? "speech_firefox" : "speech_unsupported";
}

/** @returns {(new () => any) | undefined} */
function recogniser() {
  const any = /** @type {any} */ (window);
  return any.SpeechRecognition ?? any.webkitSpeechRecognition;
}

export class WebSpeech {
  /** @type {any} */ #running = null;
  /** @type {SpeechState} */ #state = "off";
  /** @type {MediaStreamTrack | null} */ #track = null;
  #said = "";
  /** What was not final yet when it ended. */ #unsure = "";
  #silent = 0;
  #network = 0;
  #backoff = new Backoff(150, 5000);
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #breath;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #restart;

  /** @param {SpeechEvents} events @param {{patient?: boolean}} [options] patient: somebody else knows when an utterance ends, so silence is no reason to give up, nor breath to wait for */
  constructor(events, { patient = false } = {}) {
    this.events = events;
    this.patient = patient;
  }

  get state() {
    return this.#state;
  }

  /** @param {MediaStreamTrack | null} [track] to hear by, without echo, where the browser can; else its own microphone */
  on(track = null) {
    const obstacle = speechObstacle();
    if (obstacle) return this.events.onProblem(obstacle);
    this.#track = track;
    this.#silent = 0;
    this.#network = 0;
    this.#backoff.reset();
    this.#end();
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
    this.#end();
    this.#become("listening");
    this.#begin();
  }

  /** No more is said: what was said becomes final now. */
  finish() {
    if (this.#state !== "listening") return;
    this.#become("paused");
    clearTimeout(this.#restart);
    clearTimeout(this.#breath);
    this.#running?.stop();
  }

  /** In the language of the page, which has changed. */
  renew() {
    if (this.#state !== "listening") return;
    this.#end();
    this.#begin();
  }

  /** @param {SpeechState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.events.onState?.(state);
  }

  #end() {
    clearTimeout(this.#breath);
    clearTimeout(this.#restart);
    this.#said = this.#unsure = "";
    const running = this.#running;
    this.#running = null;
    running?.abort();
  }

  #begin() {
    const Recogniser = recogniser();
    if (!Recogniser) return;
    const running = new Recogniser();
    running.lang = TAGS[spoken()];
    running.interimResults = true;
    // Android repeats earlier results in continuous mode.
    running.continuous = !isAlone();
    running.onresult = (/** @type {any} */ event) => running === this.#running && this.#onResult(event);
    running.onerror = (/** @type {any} */ event) => running === this.#running && this.#onError(event.error);
    running.onend = () => running === this.#running && this.#onEnd();
    this.#running = running;
    try {
      // Browsers that know nothing of tracks take their own microphone.
      if (this.#track?.readyState === "live") running.start(this.#track);
      else running.start();
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
    this.#unsure = interim;
    if (this.patient && this.#said) this.#utter();
    const text = (this.#said + interim).trim();
    if (text) this.events.onInterim(text);
    if (!interim && text) this.#breath = setTimeout(() => this.#utter(), BREATH_MS);
  }

  #utter() {
    const text = this.#said.trim();
    this.#said = "";
    if (text) this.events.onFinal(text);
  }

  /** @param {string} error */
  #onError(error) {
    if (error === "no-speech" && ++this.#silent >= MOST_SILENT && !this.patient) this.#giveUp("mic_silent");
    else if (error === "network" && ++this.#network >= MOST_NETWORK) this.#giveUp("speech_network");
    else if (error in FATAL) this.#giveUp(FATAL[error]());
  }

  /** @param {string} key */
  #giveUp(key) {
    this.off();
    this.events.onProblem(key);
  }

  /** Ends by itself after silence, and on phones after each utterance. */
  #onEnd() {
    this.#running = null;
    if (this.#state === "paused") {
      clearTimeout(this.#breath);
      this.#said += this.#unsure;
      this.#unsure = "";
      this.#utter();
    }
    if (this.#state !== "listening") return;
    this.#restart = setTimeout(() => this.#state === "listening" && this.#begin(), this.#backoff.next());
  }
}
