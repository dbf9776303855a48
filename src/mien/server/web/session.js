// @ts-check
/** One session of this tab: found again after a reload, made anew when it is gone. */
import { ApiError, createSession, endSession, findSession } from "./api.js";
import { Backoff } from "./backoff.js";
import { forgetLook, rememberedLook } from "./look.js";
import { recallInTab, rememberInTab } from "./memory.js";
import { forgetVoice, rememberedVoice } from "./voices.js";

/** @typedef {import("./api.js").Session} Session */

const KEY = "mien.session";

export class SessionKeeper {
  /** @type {Session | null} */ current = null;
  #backoff = new Backoff(800, 15_000);
  #run = 0;

  /** @param {(error: ApiError) => void} onFailure called for each attempt that failed */
  constructor(onFailure) {
    this.onFailure = onFailure;
  }

  /**
   * Tries until there is one; null if a newer call took over.
   * @param {() => string} language
   * @returns {Promise<Session | null>}
   */
  async open(language) {
    const run = ++this.#run;
    this.current = null;
    for (;;) {
      try {
        const kept = recallInTab(KEY);
        const wanted = { language: language(), voice: rememberedVoice(), ...rememberedLook() };
        const session = (kept && (await findSession(kept))) || (await createSession(wanted));
        if (run !== this.#run) return null;
        rememberInTab(KEY, session.id);
        this.#backoff.reset();
        return (this.current = session);
      } catch (error) {
        if (run !== this.#run) return null;
        if (!(error instanceof ApiError)) throw error;
        if (forgetLook(error) || forgetVoice(error)) continue;
        this.onFailure(error);
        await this.#backoff.wait();
        if (run !== this.#run) return null;
      }
    }
  }

  /** Lets go of the session; on the server too where it may still exist. @param {{end?: boolean}} [options] */
  async leave({ end = false } = {}) {
    const session = this.current;
    this.#run++;
    this.current = null;
    rememberInTab(KEY, null);
    if (session && end) await endSession(session.id).catch(() => {});
  }
}
