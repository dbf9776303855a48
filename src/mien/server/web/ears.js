// @ts-check
/** The microphone in the conversation: on, muted, held; what the server is told of it, and what the visitor sees. */
import { EarChoice } from "./earchoice.js";
import { EarsPanel } from "./earspanel.js";
import { forgetTroubles, tellDelay, tellListener, tellSpeech, tellTrouble } from "./eartoasts.js";
import { HalfDuplex } from "./halfduplex.js";
import { language, localised, onLanguage, t } from "./i18n.js";
import { MicButton } from "./micbutton.js";
import { obstacle, reason } from "./micerrors.js";
import { Microphone } from "./microphone.js";
import { ServerEars } from "./serverears.js";
import { isAlone } from "./webspeech.js";

/** @typedef {import("./serverears.js").EarsState} EarsState */
/** @typedef {import("./serverears.js").Mode} Mode */
/**
 * @typedef {object} EarEvents
 * @property {() => void} onInterrupt the visitor wants to speak while the presenter answers
 * @property {(words: string | null) => void} onListening what to write into the empty message field; null: not listening
 * @property {(listening: boolean) => void} onActivity only where the server does not hear for itself
 * @property {(text: string) => void} onInterim
 * @property {(text: string) => void} onUtterance
 * @property {() => boolean} socketOnly whether WebRTC is known not to pass
 * @property {() => void} onGone the session does not exist any more
 */

/** People let go with their last syllable. */
const RELEASE_MS = 250;
/** What the empty message field says. @type {Partial<Record<import("./micbutton.js").Look, string>>} */
const HINTS = { on: "listening", speaking: "listening", talking: "listening", hold: "hold", wake: "wake" };

export class Ears {
  #on = false;
  #half = false;
  #opening = false;
  #muted = false;
  #talking = false;
  #speaking = false;
  /** Whether the server knows what is wanted here. */ #introduced = false;
  /** Whether it hears this microphone, and whether it ever has. */ #up = false;
  #reached = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #release;

  /** @param {EarEvents} events */
  constructor(events) {
    this.events = events;
    this.choice = new EarChoice();
    this.server = new ServerEars((state, before) => this.#onTold(state, before));
    this.microphone = new Microphone({
      onChange: () => {
        this.#onLine();
        this.#show();
      },
      onLevel: (level) => {
        this.button.level(level);
        this.panel.level(level);
      },
      onLost: () => this.#fail("mic_unplugged"),
      onFailure: tellDelay,
      onTaken: () => this.#fail("mic_taken"),
      onGone: () => events.onGone(),
      socketOnly: () => events.socketOnly(),
      session: () => this.server.session,
      onSpeechProblem: (key) => this.#browserCannot(key),
    });
    this.half = new HalfDuplex({ ...events, onState: (state) => this.#onHalf(state), onProblem: (key) => this.#fail(key) });
    this.button = new MicButton({
      isPush: () => this.#isPush,
      onClick: () => this.#press(),
      onHold: (held) => this.#hold(held),
    });
    this.panel = new EarsPanel(this);
    onLanguage(() => {
      this.half.renew();
      this.microphone.dictation.renew();
      this.#show();
    });
    this.#show();
  }

  /** A session begins. @param {string} session its id */
  begin(session) {
    this.server.follow(session);
    if (this.#on && !this.#half) this.#join();
  }

  /** It has ended; the next one is spoken to by the same microphone. */
  end() {
    this.server.follow(null);
    this.#speaking = this.#introduced = false;
    this.microphone.rest();
    this.#show();
  }

  /** Who listens, as the server says. @param {EarsState | undefined} state absent: it does not */
  told(state) {
    this.server.told(state);
  }

  /** @param {import("./status.js").Activity} activity */
  follow(activity) {
    this.half.follow(activity);
  }

  /** Whether the server hears somebody speak. @param {boolean} speaking */
  hearing(speaking) {
    this.#speaking = speaking;
    this.#show();
  }

  get isOn() {
    return this.#on;
  }

  get wakeWord() {
    const words = this.server.state?.wake_words ?? [];
    const chinese = (/** @type {string} */ word) => /\p{sc=Han}/u.test(word);
    return words.find((word) => chinese(word) === (language() === "zh")) ?? words[0] ?? "mien";
  }

  /** Pressed: on; then muted and not muted. What cannot be muted goes off. */
  #press() {
    if (!this.#on) return this.on();
    if (this.#half) return this.off();
    this.#muted = !this.#muted;
    this.#open();
  }

  async on() {
    forgetTroubles();
    const key = obstacle();
    if (key) return this.#fail(key);
    this.#on = this.#opening = true;
    this.#muted = false;
    this.#show();
    // There nobody else can open the microphone, so who listens must be known before.
    if (isAlone()) await this.#introduce();
    if (!this.#on) return;
    const { state, isKnown } = this.server;
    if (isKnown && (!state || (isAlone() && state.engine === "browser"))) return this.#useHalf();
    try {
      if (!(await this.microphone.open(this.#isOpen))) return;
    } catch (error) {
      return this.#fail(await reason(error), { name: /** @type {Error} */ (error).name });
    }
    this.#opening = false;
    this.#join();
  }

  off() {
    if (this.#talking) this.server.ask({ talking: false });
    this.#on = this.#opening = this.#half = this.#speaking = this.#talking = this.#introduced = this.#reached = false;
    this.button.letGo();
    this.half.off();
    this.microphone.close();
    this.#show();
  }

  /** @param {Mode} mode */
  choose(mode) {
    this.choice.mode = mode;
    this.button.letGo();
    this.#muted = false;
    if (this.#introduced) this.server.ask({ mode });
    this.#open();
  }

  /** @param {string} engine */
  listenWith(engine) {
    this.choice.engine = engine;
    this.server.ask({ engine, browser: this.choice.browser });
  }

  get #isPush() {
    return this.choice.mode === "push_to_talk" && !this.#half;
  }

  /** Whether what is said leaves this device. */
  get #isOpen() {
    return !this.#muted && (!this.#isPush || this.#talking);
  }

  /** To the device, what follows from all that. */
  #open() {
    // Without words of the browser's own, there is no need of its recogniser.
    const dictates = this.#on && !this.#half && this.server.state?.engine === "browser" && !this.#muted;
    this.microphone.set(this.#isOpen, dictates);
    this.#show();
  }

  /** @param {boolean} held */
  #hold(held) {
    clearTimeout(this.#release);
    if (held && !this.#on) this.on();
    if (this.#introduced && held !== this.#talking) this.server.ask({ talking: held });
    this.#talking = held;
    if (held) return this.#open();
    this.#show();
    this.#release = setTimeout(() => this.#open(), RELEASE_MS);
  }

  #onLine() {
    const { up } = this.microphone;
    // What was held while nothing was heard is held still.
    if (up && !this.#up && this.#talking && this.#introduced) this.server.ask({ talking: true });
    this.#up = up;
    this.#reached ||= up;
  }

  /** Speak to the session, once there are both. */
  #join() {
    this.microphone.send();
    this.#introduce();
    this.#show();
  }

  /** Tell the server what is wanted; it answers with who listens. */
  async #introduce() {
    const { mode, engine, browser } = this.choice;
    await this.server.ask({ mode, engine, browser });
    this.#introduced = true;
    // Held since before there was anybody to hear it.
    if (this.#talking) this.server.ask({ talking: true });
    this.#insist();
    this.#show();
  }

  /** Nobody to listen is no reason to leave the microphone open. */
  #insist() {
    const { state } = this.server;
    if (!this.#on || this.#half || !this.#introduced || !state || state.engine) return;
    this.#fail("ears_nobody", { why: localised(state.why) });
  }

  /** @param {string} key why */
  #browserCannot(key) {
    this.choice.browserCannot(key);
    tellSpeech(key);
    this.#introduce();
  }

  /** @param {EarsState | null} state @param {EarsState | null} before */
  #onTold(state, before) {
    if (this.#on && !this.#half && !state) return this.#useHalf();
    if (this.#introduced && state?.engine && before?.engine && state.engine !== before.engine) tellListener(state);
    this.#insist();
    this.#open();
  }

  #useHalf() {
    this.microphone.close();
    this.#half = true;
    this.#opening = false;
    this.half.on();
  }

  /** @param {import("./webspeech.js").SpeechState} state */
  #onHalf(state) {
    this.events.onActivity(state === "listening");
    this.#show();
  }

  /** @param {string} key of the words @param {Record<string, string>} [values] */
  #fail(key, values) {
    this.off();
    tellTrouble(key, values);
  }

  #show() {
    if (!this.panel) return; // not all is there yet
    const push = this.#isPush;
    const look = this.#look;
    const word = this.wakeWord;
    this.button.show(look, { push, word });
    const hint = HINTS[look];
    this.events.onListening(hint ? t(`placeholder_${hint}`, { word }) : null);
    this.panel.show();
  }

  /** @returns {import("./micbutton.js").Look} */
  get #look() {
    if (!this.#on) return "off";
    if (this.#half) return this.half.state === "paused" ? "paused" : "on";
    if (this.#opening) return "opening";
    if (this.#muted) return "muted";
    if (this.microphone.silenced) return "silenced";
    // A recogniser that is being loaded hears nothing yet.
    if (!this.#introduced) return "opening";
    if (!this.#up) return this.#reached ? "down" : "opening";
    if (this.#isPush) return this.#talking ? "talking" : "hold";
    if (this.#speaking) return "speaking";
    return this.choice.mode === "wake_word" && this.server.state?.awake === false ? "wake" : "on";
  }
}
