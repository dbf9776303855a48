// @ts-check
/** Who listens on the server: what it says of itself, and what the page asks of it. */
import { ApiError, changeEars } from "./api.js";
import { toast } from "./toasts.js";

/** @typedef {import("./i18n.js").Text} Text */
/** @typedef {"hands_free" | "push_to_talk" | "wake_word"} Mode */
/** Who listens to a session, and how; engine: null where nobody can; awake: false until it is called by its name. @typedef {{mode: Mode, engine: string | null, label: Text | null, why: Text | null, streaming: boolean, microphone: boolean, wake_words?: string[], awake?: boolean}} EarsState */
/** browser: whether this browser has a recogniser of its own; talking: the button is held. @typedef {{mode?: Mode, engine?: string, browser?: boolean, talking?: boolean}} EarsChange */

export class ServerEars {
  /** @type {string | null} */ session = null;
  /** Whether it has said anything in this session. */ isKnown = false;
  /** Null where the server does not listen. @type {EarsState | null} */ state = null;
  #asking = Promise.resolve();

  /** @param {(state: EarsState | null, before: EarsState | null) => void} onTold */
  constructor(onTold) {
    this.onTold = onTold;
  }

  /** @param {string | null} session */
  follow(session) {
    this.session = session;
    if (session) return;
    this.state = null;
    this.isKnown = false;
  }

  /** @param {EarsState | undefined} state */
  told(state) {
    const before = this.state;
    this.state = state ?? null;
    this.isKnown = true;
    this.onTold(this.state, before);
  }

  /** One after the other, so that none overtakes. Resolves when it is done, well or not. @param {EarsChange} change */
  ask(change) {
    this.#asking = this.#asking.then(async () => {
      const id = this.session;
      if (!id) return;
      try {
        const state = await changeEars(id, change);
        if (id === this.session) this.told(state);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // Gone, or without ears: both are told elsewhere.
        if (error.status !== 404) toast(error.words, { code: error.code });
      }
    });
    return this.#asking;
  }
}
