// @ts-check
/** Writing a message: Enter sends, Shift+Enter is a new line, long texts are counted. */
import { find } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

const COUNT_FROM = 0.9;

export class Composer {
  #form = /** @type {HTMLFormElement} */ (find(".composer"));
  #field = /** @type {HTMLTextAreaElement} */ (find("#composer"));
  #send = /** @type {HTMLButtonElement} */ (find(".send"));
  #counter = find(".counter");
  /** What was typed before speech began; speech is added after it. @type {string | null} */ #typed = null;
  maxText = 2000;

  /** @param {(text: string) => void} onSend */
  constructor(onSend) {
    this.onSend = onSend;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.#field.addEventListener("input", () => {
      this.#typed = null;
      this.#update();
    });
    this.#field.addEventListener("keydown", (event) => {
      // While an input method composes Chinese, Enter chooses a word; 229 is Safari's way to say so.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.submit();
    });
    onLanguage(() => this.#update());
    this.#update();
  }

  submit() {
    const text = this.#field.value.trim();
    if (!text || length(text) > this.maxText) return;
    this.#field.value = "";
    this.#typed = null;
    this.#update();
    this.onSend(text);
  }

  /** Gives back a text that could not be sent, unless something new is being written. @param {string} text */
  restore(text) {
    if (this.#field.value.trim()) return;
    this.#field.value = text;
    this.#update();
  }

  /** What the microphone understood so far. @param {string} text @param {boolean} final */
  hear(text, final) {
    this.#typed ??= this.#field.value.trim();
    this.#field.value = this.#typed ? `${this.#typed} ${text}` : text;
    this.#field.classList.toggle("interim", !final);
    this.#update();
    this.#field.scrollTop = this.#field.scrollHeight;
  }

  /** @param {string | null} words what to do now; null: nobody listens */
  listening(words) {
    this.#form.classList.toggle("listening", words !== null);
    this.#field.placeholder = words ?? t("placeholder");
    if (words === null) this.#field.classList.remove("interim");
  }

  #update() {
    const text = this.#field.value.trim();
    const left = this.maxText - length(text);
    this.#send.disabled = !text || left < 0;
    this.#counter.textContent =
      left < 0 ? t("counter_over", { n: -left }) : left <= this.maxText * (1 - COUNT_FROM) ? t("counter_left", { n: left }) : "";
    this.#counter.classList.toggle("over", left < 0);
    this.#field.setAttribute("aria-invalid", String(left < 0));
    if (!text) this.#field.classList.remove("interim");
    // Grows with the text; the style sheet limits it.
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

/** Characters as the server counts them, not UTF-16 units. @param {string} text */
const length = (text) => [...text].length;
