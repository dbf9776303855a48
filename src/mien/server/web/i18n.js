// @ts-check
/** The language of the page: chosen once by the browser's, then by the visitor, remembered. */
import { recall, remember } from "./memory.js";
import { WORDS } from "./words.js";

/** @typedef {"en" | "zh"} Language */
/** Text from the server: a string, or one per language. @typedef {string | Partial<Record<Language, string>>} Text */

const KEY = "mien.language";
const listeners = /** @type {Set<() => void>} */ (new Set());

/** @returns {Language} */
function first() {
  const kept = recall(KEY);
  if (kept === "en" || kept === "zh") return kept;
  return /^zh\b/i.test(navigator.language) ? "zh" : "en";
}

let current = first();

/** @returns {Language} */
export const language = () => current;

/** @param {Language} next */
export function setLanguage(next) {
  current = next;
  remember(KEY, next);
  translate();
  for (const listener of listeners) listener();
}

/** Called again whenever the language changes. @param {() => void} listener */
export function onLanguage(listener) {
  listeners.add(listener);
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const pair = WORDS[key];
  const text = pair ? pair[current === "zh" ? 1 : 0] : key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The server's text in the language of the page. @param {Text | null | undefined} text */
export function localised(text) {
  if (text == null) return "";
  if (typeof text === "string") return text;
  return text[current] ?? text.en ?? text.zh ?? "";
}

/** Fills every element that names its text in a data attribute. */
export function translate() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-i18n]")) {
    element.textContent = t(element.getAttribute("data-i18n") ?? "");
  }
  for (const element of document.querySelectorAll("[data-i18n-label]")) {
    element.setAttribute("aria-label", t(element.getAttribute("data-i18n-label") ?? ""));
  }
  for (const element of document.querySelectorAll("[data-i18n-placeholder]")) {
    element.setAttribute("placeholder", t(element.getAttribute("data-i18n-placeholder") ?? ""));
  }
}
