// @ts-check
/** The microphone in the conversation: on, muted, held; what the server is told of it, and what the visitor sees. */
import { ApiError, changeEars } from "./api.js";
import { Capture } from "./capture.js";
import { Dictation } from "./dictation.js";
import { EarsPanel } from "./earspanel.js";
import { HalfDuplex } from "./halfduplex.js";
import { language, localised, onLanguage, t } from "./i18n.js";
import { recall, recallInTab, remember, rememberInTab } from "./memory.js";
import { LevelMeter } from "./meter.js";
import { MicButton } from "./micbutton.js";
import { obstacle, reason } from "./micerrors.js";
import { MicLine } from "./micline.js";
import { dismiss, toast } from "./toasts.js";
import { isAlone, speechObstacle } from "./webspeech.js";

/** @typedef {import("./i18n.js").Text} Text */
/** @typedef {"hands_free" | "push_to_talk" | "wake_word"} Mode */
/** Who listens to this session and how, as the server says. @typedef {{mode: Mode, engine: string | null, label: Text, why: Text | null, streaming: boolean, microphone: boolean, wake_words?: string[]}} EarsState */
/** ``browser``: whether this browser has a recogniser of its own. @typedef {{mode?: Mode, engine?: string, language?: string, browser?: boolean, talking?: boolean}} EarsChange */
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

const MODE = "mien.ears.mode";
const ENGINE = "mien.ears.engine";
/** Why this browser's recogniser was of no use, in this tab. */
const CANNOT = "mien.ears.cannot";
/** People let go with their last syllable. */
const RELEASE_MS = 250;
const MODES = ["hands_free", "push_to_talk", "wake_word"];

export class Ears {
  /** @type {string | null} */ #session = null;
  /** @type {EarsState | null} */ #server = null;
  #on = false;
  #half = false;
  #opening = false;
  #muted = false;
  #talking = false;
  #speaking = false;
  #asking = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #release;

  /** @param {EarEvents} events */
  constructor(events) {
    this.events = events;
    /** @type {Mode} */ this.mode = /** @type {Mode} */ (MODES.find((mode) => mode === recall(MODE)) ?? "hands_free");
    this.engine = recall(ENGINE) ?? "auto";
    const problem = (/** @type {string} */ key) => this.#fail(key);
    this.capture = new Capture({
      onStream: (stream) => this.#hear(stream),
      onLost: () => this.#fail("mic_unplugged"),
      onChange: () => this.#show(),
    });
    this.line = new MicLine({
      onUp: () => this.#show(),
      onFailure: (failures) => failures > 1 && toast(t("mic_line"), { code: "mic_line" }),
      onTaken: () => {
        this.off();
        toast(t("mic_taken"), { code: "mic_taken", kind: "notice" });
      },
      onGone: () => events.onGone(),
      socketOnly: () => events.socketOnly(),
    });
    this.half = new HalfDuplex({ ...events, onState: (state) => this.#onHalf(state), onProblem: problem });
    this.dictation = new Dictation(() => this.#session, (key) => this.#browserCannot(key));
    this.button = new MicButton({
      isPush: () => this.mode === "push_to_talk" && !this.#half,
      onClick: () => this.#press(),
      onHold: (held) => this.#hold(held),
    });
    this.panel = new EarsPanel(this);
    this.meter = new LevelMeter((level) => {
      this.button.level(level);
      this.panel.level(level);
    });
    onLanguage(() => {
      this.half.renew();
      this.dictation.renew();
      if (this.#on) this.#ask({ language: language(), browser: this.#browser });
      this.#show();
    });
    this.#show();
  }

  /** A session begins. @param {string} session its id */
  begin(session) {
    this.#session = session;
    if (this.#on && !this.#half) this.#join();
  }

  /** It has ended; the next one is spoken to by the same microphone. */
  end() {
    this.#session = this.#server = null;
    this.#speaking = false;
    this.line.stop();
    this.dictation.stop();
    this.#show();
  }

  /** Who listens, as the server says. @param {EarsState | undefined} state absent: it does not listen */
  told(state) {
    const before = this.#server;
    this.#server = state ?? null;
    if (this.#on && !this.#half && state && before && state.engine !== before.engine) this.#tellChange(state);
    this.#dictate();
    this.#show();
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

  get state() {
    return this.#server;
  }

  get wakeWord() {
    return this.#server?.wake_words?.[0] ?? "mien";
  }

  /** Pressed: on; then muted and not muted. What cannot be muted goes off. */
  #press() {
    if (!this.#on) return this.on();
    if (this.#half) return this.off();
    this.#muted = !this.#muted;
    this.#open();
  }

  async on() {
    for (const key of ["mic", "speech", "mic_line", "ears_nobody"]) dismiss(key);
    const key = obstacle();
    if (key) return this.#fail(key);
    this.#on = this.#opening = true;
    this.#muted = false;
    this.#show();
    // There nobody else can open the microphone, so who listens must be known before.
    if (isAlone()) await this.#introduce();
    if (!this.#on) return;
    this.#half = !this.#server || (isAlone() && this.#server.engine === "browser");
    if (this.#half) {
      this.#opening = false;
      return this.half.on();
    }
    try {
      this.capture.live = this.#isOpen;
      if (!(await this.capture.open())) return;
    } catch (error) {
      return this.#fail(await reason(error), { name: /** @type {Error} */ (error).name });
    }
    this.#opening = false;
    this.#join();
  }

  off() {
    this.#on = this.#opening = this.#half = this.#speaking = false;
    this.#talking = false;
    this.button.letGo();
    this.half.off();
    this.line.stop();
    this.dictation.stop();
    this.capture.close();
    this.meter.follow(null);
    this.#show();
  }

  /** @param {Mode} mode */
  choose(mode) {
    this.mode = mode;
    remember(MODE, mode);
    this.button.letGo();
    this.#muted = false;
    if (this.#on) this.#ask({ mode });
    this.#open();
  }

  /** @param {string} engine */
  listenWith(engine) {
    this.engine = engine;
    remember(ENGINE, engine);
    // Chosen by hand: it may be able to by now.
    if (engine === "browser") rememberInTab(CANNOT, null);
    this.#ask({ engine, browser: this.#browser });
  }

  /** Whether what is said leaves this device. */
  get #isOpen() {
    return !this.#muted && (this.mode !== "push_to_talk" || this.#talking);
  }

  get #browser() {
    return speechObstacle() === null && recallInTab(CANNOT) === null;
  }

  #open() {
    this.capture.live = this.#isOpen;
    this.#dictate();
    this.#show();
  }

  /** @param {boolean} held */
  #hold(held) {
    clearTimeout(this.#release);
    if (held && !this.#on) this.on();
    if (held) {
      if (!this.#talking) this.#ask({ talking: true });
      this.#talking = true;
      return this.#open();
    }
    this.#release = setTimeout(() => {
      this.#talking = false;
      if (this.#on) this.#ask({ talking: false });
      this.dictation.finish();
      this.#open();
    }, RELEASE_MS);
  }

  /** The device hears. @param {MediaStream} stream */
  #hear(stream) {
    const [track] = stream.getAudioTracks();
    this.meter.follow(stream);
    this.line.replace(track);
    this.#dictate();
  }

  /** Speak to the session, once there are both. */
  #join() {
    const track = this.capture.stream?.getAudioTracks()[0];
    if (!this.#session || !track) return;
    this.line.run(this.#session, track);
    this.#introduce();
    this.#show();
  }

  #introduce() {
    const { mode, engine } = this;
    return this.#ask({ mode, engine, language: language(), browser: this.#browser });
  }

  /** One after the other, so that none overtakes. @param {EarsChange} change */
  #ask(change) {
    this.#asking = this.#asking.then(async () => {
      const id = this.#session;
      if (!id || this.#half) return;
      try {
        const state = await changeEars(id, change);
        if (id === this.#session) this.told(state);
        if (this.#on && "engine" in state && !state.engine) this.#fail("ears_nobody", { why: localised(state.why) });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status !== 404) toast(error.words, { code: error.code });
      }
    });
    return this.#asking;
  }

  /** The browser's recogniser runs while the microphone is open, and only where the server wants its words. */
  #dictate() {
    const track = this.capture.stream?.getAudioTracks()[0];
    const wanted = this.#on && !this.#half && track && this.#isOpen && this.#server?.engine === "browser";
    if (wanted) this.dictation.start(track);
    else if (this.mode !== "push_to_talk" || this.#server?.engine !== "browser") this.dictation.stop();
  }

  /** @param {string} key why */
  #browserCannot(key) {
    rememberInTab(CANNOT, key);
    toast(t(key), { code: "speech" });
    this.#ask({ engine: this.engine, browser: false });
  }

  /** @param {EarsState} state */
  #tellChange(state) {
    if (!state.engine) return;
    const words = t("ears_changed", { label: localised(state.label), why: localised(state.why) });
    toast(words, { code: "ears", kind: "notice" });
  }

  /** @param {import("./webspeech.js").SpeechState} state */
  #onHalf(state) {
    this.events.onActivity(state === "listening");
    this.#show();
  }

  /** @param {string} key of the words @param {Record<string, string>} [values] */
  #fail(key, values = {}) {
    this.off();
    const local = `http://localhost:${location.port || 80}`;
    const code = key.replace(/^(mic_denied)_.*/, "$1");
    toast(t(key, { local, ...values }), { code });
  }

  #show() {
    if (!this.panel) return; // not all is there yet
    const { look, listening } = this.#looks();
    const word = this.wakeWord;
    this.button.show(look, { push: this.mode === "push_to_talk" && !this.#half, word });
    this.events.onListening(listening && t(`placeholder_${listening}`, { word }));
    this.panel.show();
  }

  /** @returns {{look: import("./micbutton.js").Look, listening: string | null}} */
  #looks() {
    if (!this.#on) return { look: "off", listening: null };
    if (this.#half) return this.half.state === "paused" ? { look: "paused", listening: null } : { look: "on", listening: "listening" };
    if (this.#opening) return { look: "opening", listening: null };
    if (this.#muted) return { look: "muted", listening: null };
    if (this.capture.silenced) return { look: "silenced", listening: null };
    if (!this.line.up) return { look: "down", listening: null };
    if (this.mode === "push_to_talk") return this.#talking ? { look: "talking", listening: "listening" } : { look: "hold", listening: "hold" };
    if (this.#speaking) return { look: "speaking", listening: "listening" };
    return this.mode === "wake_word" ? { look: "wake", listening: "wake" } : { look: "on", listening: "listening" };
  }
}
