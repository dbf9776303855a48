// @ts-check
/** Errors and notices, in the visitor's language, announced at once and gone by themselves. */
import { find, make } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

const SHOWN_MS = 9000;
const MOST = 3;

const box = find(".errors");
onLanguage(() => box.replaceChildren());

/**
 * One toast per code: a fault that repeats replaces itself instead of piling up.
 * @param {string} text
 * @param {{code?: string, kind?: "error" | "notice"}} [options]
 */
export function toast(text, { code = "", kind = "error" } = {}) {
  if (!text) return;
  if (code) dismiss(code);
  const close = /** @type {HTMLButtonElement} */ (make("button", "toast-close", "×"));
  close.type = "button";
  close.setAttribute("aria-label", t("dismiss"));
  const row = make("div", `toast ${kind}`, make("p", "", text), close);
  row.dataset.code = code;
  const timer = setTimeout(() => row.remove(), SHOWN_MS);
  close.addEventListener("click", () => {
    clearTimeout(timer);
    row.remove();
  });
  // Someone still reading is not hurried.
  row.addEventListener("pointerenter", () => clearTimeout(timer));
  box.append(row);
  while (box.childElementCount > MOST) box.firstElementChild?.remove();
  // Where there is no room for all of them, the newest is read first.
  box.scrollTop = box.scrollHeight;
}

/** @param {string} code */
export function dismiss(code) {
  for (const row of box.children) if (/** @type {HTMLElement} */ (row).dataset.code === code) row.remove();
}
