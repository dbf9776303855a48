// @ts-check
/** A button that deletes: the first press asks, the second does it; looking away forgets. */
import { make } from "./dom.js";
import { t } from "./i18n.js";

/** @param {string} className @param {string} label @param {() => void} act */
export function twoStep(className, label, act) {
  const button = /** @type {HTMLButtonElement} */ (make("button", className, "×"));
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.title = label;
  let asked = false;
  const rest = () => {
    asked = false;
    button.textContent = "×";
    button.classList.remove("asking");
  };
  button.addEventListener("click", () => {
    if (asked) return act();
    asked = true;
    button.textContent = t("delete_ask");
    button.classList.add("asking");
  });
  button.addEventListener("blur", rest);
  button.addEventListener("pointerleave", rest);
  return button;
}
