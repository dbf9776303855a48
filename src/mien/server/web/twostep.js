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
  button.title = label;
  let asked = false;
  /** @param {boolean} asking */
  const turn = (asking) => {
    asked = asking;
    button.textContent = asking ? ask : words;
    button.setAttribute("aria-label", asking ? `${label}: ${ask}` : label);
    button.classList.toggle("asking", asking);
  };
  turn(false);
  button.addEventListener("click", () => (asked ? act() : turn(true)));
  button.addEventListener("blur", () => turn(false));
  // A finger leaves whenever it is lifted, before the click comes.
  button.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && turn(false));
  return button;
}
