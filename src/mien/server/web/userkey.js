// @ts-check
/** The secret by which a server knows a visitor who wants to be remembered. Made when they say so. */
import { forget, recall, remember } from "./memory.js";

const KEY = "mien.user";
/** Whether the visitor switched it off again: the key is kept, for what was kept with it. */
const PAUSED = "mien.user.paused";

/** @returns {string | null} */
export const userKey = () => recall(KEY);

/** Whether the next visit begins with memory. */
export const wantsMemory = () => userKey() !== null && recall(PAUSED) === null;

/** The visitor, who has a key, has switched it on or off. @param {boolean} on */
export function wantMemory(on) {
  if (!on) return remember(PAUSED, "yes");
  forget(PAUSED);
}

/** If there is none yet; the next visit does not begin with memory for that alone. */
export function makeKey() {
  if (userKey()) return;
  remember(PAUSED, "yes");
  // Not randomUUID: browsers have that only with https.
  remember(KEY, [...crypto.getRandomValues(new Uint8Array(32))].map(hex).join(""));
}

export function forgetUser() {
  forget(KEY);
  forget(PAUSED);
}

/** The header that carries it, if there is one. @returns {Record<string, string>} */
export function userHeader() {
  const key = userKey();
  return key ? { "Mien-User": key } : {};
}

/** @param {number} byte */
const hex = (byte) => byte.toString(16).padStart(2, "0");
