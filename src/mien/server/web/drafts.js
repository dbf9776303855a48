// @ts-check
/** The part of the HTTP API that makes a face: sent with progress, answered line by line. */
import { ApiError, authorization, failed, request, urlOf } from "./api.js";
import { t } from "./i18n.js";

/** @typedef {import("./i18n.js").Text} Text */
/**
 * @typedef {object} Draft
 * @property {string} name
 * @property {"atlas" | "clip"} kind
 * @property {string} moments
 * @property {Text[]} advice
 * @property {Text | null} why_not what must be done before it can be shown
 */
/**
 * @typedef {object} Watcher
 * @property {(share: number) => void} onSent how much has reached the server, 0…1
 * @property {(share: number, step: string) => void} onProgress how much is done, 0…1, and what is being done
 * @property {AbortSignal} signal ends the work
 */

/**
 * Makes a face of a photo or a clip. It is a draft until ``keepDraft``.
 * @param {File} source
 * @param {string} title
 * @param {Watcher} watcher
 * @returns {Promise<Draft>}
 */
export async function buildAvatar(source, title, { onSent, onProgress, signal }) {
  const query = new URLSearchParams({ title, consent: "true" });
  /** @type {Draft | null} */ let made = null;
  await send(`/api/v1/avatars?${query}`, source, onSent, signal, ({ share, step, draft, error }) => {
    if (step) onProgress(share, step);
    if (draft) made = draft;
    if (error) throw new ApiError(422, error.code, error.message, error.retryable);
  });
  if (made) return made;
  throw new ApiError(0, "network", t("error_network"), true);
}

/** @param {string} name */
const draftAt = (name) => `/api/v1/avatar-drafts/${encodeURIComponent(name)}`;

/** @param {string} name */
export const keepDraft = (name) => request("POST", `${draftAt(name)}/keep`);

/** @param {string} name */
export const discardDraft = (name) => request("DELETE", draftAt(name));

/**
 * ``fetch`` cannot tell how much was sent, so this is the older interface.
 * @param {string} path
 * @param {File} body
 * @param {(share: number) => void} onSent
 * @param {AbortSignal} signal
 * @param {(line: any) => void} onLine one JSON object of the answer, as they come
 * @returns {Promise<void>}
 */
function send(path, body, onSent, signal, onLine) {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    let read = 0;
    const lines = () => {
      if (asked.status !== 200) return;
      const end = asked.responseText.lastIndexOf("\n") + 1;
      const ready = asked.responseText.slice(read, end);
      read = Math.max(read, end);
      for (const line of ready.split("\n")) if (line) onLine(JSON.parse(line));
    };
    const attempt = (/** @type {() => void} */ act) => {
      try {
        act();
      } catch (error) {
        reject(error);
        asked.abort();
      }
    };
    const away = () => reject(new ApiError(0, "network", t("error_network"), true));
    asked.upload.addEventListener("progress", ({ loaded, total }) => onSent(total ? loaded / total : 1));
    asked.addEventListener("progress", () => attempt(lines));
    asked.addEventListener("load", () => {
      attempt(lines);
      if (asked.status === 200) resolve();
      else reject(failed(asked.status, asked.responseText));
    });
    asked.addEventListener("error", away);
    asked.addEventListener("abort", away);
    signal.addEventListener("abort", () => asked.abort());
    asked.open("POST", urlOf(path));
    for (const [name, value] of Object.entries(authorization())) asked.setRequestHeader(name, value);
    asked.setRequestHeader("Content-Type", body.type || "application/octet-stream");
    asked.send(body);
  });
}
