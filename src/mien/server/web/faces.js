// @ts-check
/** The faces as cards: a picture, a name, which one is shown, and why another cannot be. */
import { tokenUrl } from "./api.js";
import { find, icon, make } from "./dom.js";
import { localised, t } from "./i18n.js";
import { twoStep } from "./twostep.js";

/** @typedef {import("./api.js").Face} Face */

export class Faces {
  #box = find(".faces");
  #why = find(".faces-why");
  #shown = "";

  /**
   * @param {object} events
   * @param {(name: string) => void} events.onPick
   * @param {(name: string) => void} events.onRemove
   * @param {() => void} events.onNew
   */
  constructor(events) {
    this.events = events;
  }

  /** @param {string} name */
  show(name) {
    this.#shown = name;
    for (const card of this.#box.querySelectorAll("[data-face]")) {
      card.setAttribute("aria-pressed", String(card.getAttribute("data-face") === name));
      card.classList.remove("coming");
    }
  }

  /** Why a face cannot be shown, and what to do. @param {string} why */
  tell(why) {
    this.#why.textContent = why;
  }

  /** @param {Face[]} faces */
  offer(faces) {
    const focused = document.activeElement?.getAttribute("data-face");
    this.#box.replaceChildren(...faces.map((face) => this.#card(face)), this.#new());
    this.show(this.#shown);
    if (focused) /** @type {HTMLElement | null} */ (this.#box.querySelector(`[data-face="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {Face} face */
  #card({ name, label, ready, why_not, own, preview }) {
    const title = localised(label) || name;
    const button = /** @type {HTMLButtonElement} */ (make("button", "card", make("span", "card-name", title)));
    button.type = "button";
    button.dataset.face = name;
    button.dataset.testid = `face-${name}`;
    button.prepend(portrait(preview));
    if (ready === false) {
      button.setAttribute("aria-disabled", "true");
      button.append(make("span", "card-why", t("not_ready")));
      button.addEventListener("click", () => this.tell(`${title}: ${localised(why_not)}`));
    } else {
      button.addEventListener("click", () => {
        this.tell("");
        button.classList.add("coming");
        this.events.onPick(name);
      });
    }
    const card = make("div", "card-place", button);
    if (own && name !== this.#shown) card.append(twoStep("remove", t("delete_face", { name: title }), () => this.events.onRemove(name)));
    return card;
  }

  #new() {
    const button = /** @type {HTMLButtonElement} */ (make("button", "card add", icon("add"), make("span", "card-name", t("photo_card"))));
    button.type = "button";
    button.dataset.testid = "face-photo";
    button.addEventListener("click", () => this.events.onNew());
    return make("div", "card-place", button);
  }
}

/** @param {string} path */
function portrait(path) {
  const image = /** @type {HTMLImageElement} */ (make("img", "card-picture"));
  image.alt = "";
  image.width = image.height = 96;
  // A face that cannot be drawn says why when it is picked.
  image.addEventListener("error", () => image.replaceWith(icon("face")), { once: true });
  image.src = tokenUrl(path).href;
  return image;
}
