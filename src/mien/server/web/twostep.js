// @ts-check
/** A button that deletes: the first press asks, the second does it; looking away forgets. */
import { make } from "./dom.js";
import { t } from "./i18n.js";

/**
 * @param {string} className
 * @param {string} label for those who do not see it
 * @param {() => void} act
 * @param {{words?: string, ask?: string}} [said] on it, before and after the first press
 */
export function twoStep(className, label, act, { words = "×", ask = t("delete_ask") } = {}) {
  const button = /** @type {HTMLButtonElement} */ (make("button", className, words));
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.title = label;
  let asked = false;
  const rest = () => {
    asked = false;
    button.textContent = words;
    button.classList.remove("asking");
  };
  button.addEventListener("click", () => {
    if (asked) return act();
    asked = true;
    button.textContent = ask;
    button.classList.add("asking");
  });
  button.addEventListener("blur", rest);
  button.addEventListener("pointerleave", rest);
  return button;
}
