// @ts-check
/** The microphone's button: what state it is in, in words, colour and shape, and how loud it is. */
import { find, setIcon } from "./dom.js";
import { t } from "./i18n.js";
import { TalkButton } from "./talkbutton.js";

/** @typedef {"off" | "opening" | "on" | "speaking" | "wake" | "hold" | "talking" | "muted" | "silenced" | "down" | "paused"} Look */

const SILENT = ["muted", "silenced"];

export class MicButton {
  #button = find("[data-testid=mic]");
  #words = find("[data-testid=mic] .tool-words");
  #talk;

  /** @param {import("./talkbutton.js").TalkEvents} events */
  constructor(events) {
    this.#talk = new TalkButton(this.#button, events);
  }

  letGo() {
    this.#talk.release();
  }

  /** @param {number} level 0…1 */
  level(level) {
    this.#button.style.setProperty("--level", level.toFixed(2));
  }

  /** @param {Look} look @param {{push: boolean, word: string}} how push: it is held, not pressed */
  show(look, { push, word }) {
    const button = this.#button;
    if (button.dataset.mic !== look) setIcon(button, SILENT.includes(look) ? "mic-off" : "mic");
    button.dataset.mic = look;
    const pressed = push ? look === "talking" : look !== "off" && look !== "muted";
    if (push) button.setAttribute("aria-keyshortcuts", "Space");
    else button.removeAttribute("aria-keyshortcuts");
    button.setAttribute("aria-pressed", String(pressed));
    const words = t(look === "off" ? (push ? "mic_hold" : "mic") : `mic_${look}`, { word });
    const label = push ? "hold" : look === "off" ? "off" : look === "muted" ? "muted" : look === "paused" ? "half" : "live";
    this.#words.textContent = words;
    button.title = t(`mic_label_${label}`);
    // What is seen comes first in what is read out, so that both can be called by the same words.
    button.setAttribute("aria-label", `${words}: ${button.title}`);
  }
}
