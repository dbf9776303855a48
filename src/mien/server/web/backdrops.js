// @ts-check
/** What is behind the face: swatches, pictures, one's own picture, and how far out of focus. */
import { tokenUrl } from "./api.js";
import { find, icon, make } from "./dom.js";
import { localised, t } from "./i18n.js";
import { twoStep } from "./twostep.js";

/** @typedef {import("./api.js").Backdrop} Backdrop */

/** Long enough to gather a drag of the slider, short enough to feel immediate. */
const SETTLE_MS = 120;

export class Backdrops {
  #box = find(".backdrops");
  #blur = /** @type {HTMLInputElement} */ (find(".blur input"));
  #kept = find(".backdrops-kept");
  /** @type {Backdrop[]} */ #offered = [];
  #shown = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #settling;

  /**
   * @param {object} events
   * @param {(name: string) => void} events.onPick
   * @param {(blur: number) => void} events.onBlur 0…1
   * @param {(file: File) => void} events.onUpload
   * @param {(name: string) => void} events.onRemove
   */
  constructor(events) {
    this.events = events;
    this.#blur.addEventListener("input", () => {
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => events.onBlur(Number(this.#blur.value) / 100), SETTLE_MS);
    });
  }

  /** @param {string} name @param {number} blur */
  show(name, blur) {
    this.#shown = name;
    for (const swatch of this.#box.querySelectorAll("[data-backdrop]")) {
      swatch.setAttribute("aria-pressed", String(swatch.getAttribute("data-backdrop") === name));
    }
    if (document.activeElement !== this.#blur) this.#blur.value = String(Math.round(blur * 100));
    // Only a picture can be out of focus.
    this.#blur.disabled = !this.#offered.some((one) => one.name === name && one.preview);
  }

  /** Whether the face shown takes another background; a filmed one keeps its own. @param {boolean} allowed */
  allow(allowed) {
    this.#kept.hidden = allowed;
    this.#box.inert = !allowed;
    find(".blur").inert = !allowed;
  }

  /** @param {Backdrop[]} backdrops */
  offer(backdrops) {
    this.#offered = backdrops;
    const blur = Number(this.#blur.value) / 100;
    this.#box.replaceChildren(...backdrops.map((one) => this.#swatch(one)), this.#anyColour(), this.#upload());
    this.show(this.#shown, blur);
  }

  /** @param {Backdrop} backdrop */
  #swatch({ name, label, colour, preview, own }) {
    const button = /** @type {HTMLButtonElement} */ (make("button", `swatch ${colour || preview ? "" : name}`));
    button.type = "button";
    button.dataset.backdrop = name;
    button.dataset.testid = `backdrop-${name}`;
    button.setAttribute("aria-label", localised(label));
    button.title = localised(label);
    if (colour) button.style.background = colour;
    if (preview) button.style.backgroundImage = `url("${tokenUrl(preview).href}")`;
    button.addEventListener("click", () => this.events.onPick(name));
    const place = make("div", "card-place", button);
    if (own && name !== this.#shown) place.append(twoStep("remove", t("delete_picture"), () => this.events.onRemove(name)));
    return place;
  }

  #anyColour() {
    const input = /** @type {HTMLInputElement} */ (make("input", "sr"));
    input.type = "color";
    input.value = "#7a9e9f";
    input.setAttribute("aria-label", t("any_colour"));
    input.addEventListener("change", () => this.events.onPick(input.value));
    const label = make("label", "swatch any", input);
    label.title = t("any_colour");
    return make("div", "card-place", label);
  }

  #upload() {
    const input = /** @type {HTMLInputElement} */ (make("input", "sr"));
    input.type = "file";
    input.accept = "image/jpeg,image/png,image/webp";
    input.dataset.testid = "backdrop-file";
    input.setAttribute("aria-label", t("own_picture"));
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      input.value = "";
      if (file) this.events.onUpload(file);
    });
    const label = make("label", "swatch add", input, icon("add"));
    label.title = t("own_picture");
    return make("div", "card-place", label);
  }
}
