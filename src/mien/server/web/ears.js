// @ts-check
/** The microphone in the conversation: who may speak when, and what becomes of the words. */
import { find } from "./dom.js";
import { language, onLanguage, t } from "./i18n.js";
import { Mic } from "./mic.js";
import { recall, remember } from "./memory.js";
import { dismiss, toast } from "./toasts.js";

/** @typedef {import("./status.js").Activity} Activity */

const KEY = "mien.headphones";
const TAGS = { zh: "zh-CN", en: "en-US" };
/** The last sound is still on its way to the loudspeaker when the server says it is done. */
const TAIL_MS = 350;

/**
 * @typedef {object} EarEvents
 * @property {() => void} onInterrupt the visitor begins to speak while the presenter answers
 * @property {(listening: boolean) => void} onListening
 * @property {(text: string) => void} onInterim
 * @property {(text: string) => void} onUtterance
 */

export class Ears {
  #button = find("[data-testid=mic]");
  #words = find("[data-testid=mic] .tool-words");
  #headphonesRow = find(".headphones");
  #headphones = /** @type {HTMLInputElement} */ (find(".headphones input"));
  /** @type {Activity} */ #activity = "idle";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #tail;
  #mic;

  /** @param {EarEvents} events */
  constructor(events) {
    this.events = events;
    this.#mic = new Mic(
      {
        onState: () => this.#changed(),
        onInterim: (text) => this.#interim(text),
        onFinal: (text) => {
          // Closed at once: the answer may begin before the server's state arrives.
          if (!this.#headphones.checked) this.#mic.pause();
          events.onUtterance(text);
        },
        onProblem: (key) => toast(t(key), { code: key }),
      },
      TAGS[language()],
    );
    this.#headphones.checked = recall(KEY) === "yes";
    this.#headphones.addEventListener("change", () => {
      remember(KEY, this.#headphones.checked ? "yes" : "no");
      this.follow(this.#activity);
    });
    this.#button.addEventListener("click", () => this.#toggle());
    onLanguage(() => {
      this.#mic.setLanguage(TAGS[language()]);
      this.#show();
    });
    this.#show();
  }

  /** Half-duplex: deaf while an answer is made and spoken, unless headphones keep it out of the microphone. @param {Activity} activity */
  follow(activity) {
    this.#activity = activity;
    clearTimeout(this.#tail);
    const answering = activity === "thinking" || activity === "speaking";
    if (answering && !this.#headphones.checked) this.#mic.pause();
    else this.#tail = setTimeout(() => this.#mic.resume(), TAIL_MS);
  }

  #toggle() {
    if (this.#mic.state !== "off") return this.#mic.off();
    for (const key of ["mic_network", "mic_denied", "mic_silent"]) dismiss(key);
    this.#interruptAnswer();
    this.#mic.on();
  }

  #interruptAnswer() {
    if (this.#activity !== "thinking" && this.#activity !== "speaking") return;
    // Once is enough: more words come before the server's state does.
    this.#activity = "idle";
    this.events.onInterrupt();
  }

  /** @param {string} text */
  #interim(text) {
    this.#interruptAnswer();
    this.events.onInterim(text);
  }

  #changed() {
    this.#show();
    this.events.onListening(this.#mic.state === "listening");
  }

  #show() {
    const { state } = this.#mic;
    this.#button.setAttribute("aria-pressed", String(state !== "off"));
    this.#button.setAttribute("aria-label", t(state === "off" ? "mic_label" : "mic_label_on"));
    this.#button.title = t(state === "off" ? "mic_label" : "mic_label_on");
    this.#button.dataset.mic = state;
    this.#words.textContent = t({ off: "mic", listening: "mic_on", paused: "mic_paused" }[state]);
    this.#headphonesRow.hidden = state === "off";
  }
}
