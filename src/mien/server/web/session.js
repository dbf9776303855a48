// @ts-check
/** One session of this tab: found again after a reload, made anew when it is gone; or one it joins. */
import { ApiError, createSession, endSession, findSession } from "./api.js";
import { Backoff } from "./backoff.js";
import { t } from "./i18n.js";
import { forgetLook, rememberedLook } from "./look.js";
import { recallInTab, rememberInTab } from "./memory.js";
import { forgetPersona, rememberedPersona } from "./personas.js";
import { forgetVoice, rememberedVoice } from "./voices.js";

/** @typedef {import("./api.js").Session} Session */

const KEY = "mien.session";

/** A session of somebody else, or the server's own, to be joined: ?session=live. */
export const joined = new URL(location.href).searchParams.get("session");

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
        const session = joined ? await join(joined) : await this.#own(language());
        if (run !== this.#run) return null;
        if (!joined) rememberInTab(KEY, session.id);
        this.#backoff.reset();
        return (this.current = session);
      } catch (error) {
        if (run !== this.#run) return null;
        if (!(error instanceof ApiError)) throw error;
        if (forgetLook(error) || forgetVoice(error) || forgetPersona(error)) continue;
        this.onFailure(error);
        await this.#backoff.wait();
        if (run !== this.#run) return null;
      }
    }
  }

  /** @param {string} language */
  async #own(language) {
    const kept = recallInTab(KEY);
    const wanted = { language, persona: rememberedPersona(), voice: rememberedVoice(), ...rememberedLook() };
    return (kept && (await findSession(kept))) || (await createSession(wanted));
  }

  /** Lets go of the session; on the server too where it may still exist. @param {{end?: boolean}} [options] */
  async leave({ end = false } = {}) {
    const session = this.current;
    this.#run++;
    this.current = null;
    if (joined) return;
    rememberInTab(KEY, null);
    if (session && end) await endSession(session.id).catch(() => {});
  }
}

/** It may be beginning anew. @param {string} id */
async function join(id) {
  const session = await findSession(id);
  if (!session) throw new ApiError(404, "no_such_session", t("joined_missing"), true);
  return session;
}
