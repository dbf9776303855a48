// @ts-check
/** The form that adds a target: platforms differ in what their addresses and keys look like. */
import { ApiError } from "./api.js";
import { find, make } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

/** @typedef {import("./outputs.js").Target} Target */
/** address: filled in, where everybody has the same. example: what one looks like. @typedef {{address?: string, example: string, key: string}} Platform */

/** @type {Record<string, Platform>} */
const PLATFORMS = {
  own: { example: "rtmp://192.168.1.10/live", key: "mien" },
  bilibili: { example: "rtmp://live-push.bilivideo.com/live-bvc", key: "?streamname=…&key=…" },
  douyin: { example: "rtmp://push-rtmp-….douyincdn.com/third", key: "stream-…?…" },
  youtube: { address: "rtmps://a.rtmps.youtube.com/live2", example: "rtmps://a.rtmps.youtube.com/live2", key: "xxxx-xxxx-xxxx-xxxx-xxxx" },
  whip: { example: "https://server/rtc/v1/whip/?app=live&stream=mien", key: "" },
  camera: { example: "", key: "" },
};

export class AirForm {
  #form = /** @type {HTMLFormElement} */ (find(".air-form"));
  #platform = /** @type {HTMLSelectElement} */ (find(".air-platform"));
  #address = /** @type {HTMLInputElement} */ (find(".air-address"));
  #key = /** @type {HTMLInputElement} */ (find(".air-key"));
  #profile = /** @type {HTMLSelectElement} */ (find(".air-profile"));
  #go = /** @type {HTMLButtonElement} */ (find(".air-go"));
  #said = find(".air-said");
  /** @type {string[]} */ #profiles = ["source"];

  /** @param {(target: Target) => Promise<unknown>} onAdd */
  constructor(onAdd) {
    this.onAdd = onAdd;
    this.#platform.addEventListener("change", () => this.#choose());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** @param {string[]} profiles */
  offer(profiles) {
    this.#profiles = profiles;
    this.#draw();
  }

  #draw() {
    const { value: platform } = this.#platform;
    this.#platform.replaceChildren(...Object.keys(PLATFORMS).map((name) => option(name, t(`air_to_${name}`))));
    this.#platform.value = platform || "own";
    const { value: profile } = this.#profile;
    this.#profile.replaceChildren(...this.#profiles.map((name) => option(name, name === "source" ? t("air_source") : name)));
    this.#profile.value = this.#profiles.includes(profile) ? profile : "source";
    this.#describe();
  }

  #choose() {
    this.#address.value = PLATFORMS[this.#platform.value].address ?? "";
    this.#key.value = "";
    this.#said.textContent = "";
    this.#describe();
  }

  #describe() {
    const platform = this.#platform.value;
    const { example, key } = PLATFORMS[platform];
    this.#address.placeholder = example;
    this.#key.placeholder = key;
    this.#form.dataset.platform = platform;
    find(".air-key-words").textContent = t(platform === "whip" ? "air_token" : "air_key");
    find(".air-hint").textContent = t(`air_hint_${platform}`);
  }

  /** @returns {Target} */
  get #target() {
    const platform = this.#platform.value;
    const profile = this.#profile.value;
    if (platform === "camera") return { url: "camera", profile };
    const [address, secret] = [this.#address.value.trim(), this.#key.value.trim()];
    if (platform !== "whip") return { url: address, profile, ...(secret && { key: secret }) };
    const url = address.startsWith("whip:") ? address : `whip:${address}`;
    return { url, profile, ...(secret && { token: secret }) };
  }

  async #submit() {
    if (this.#platform.value !== "camera" && !this.#address.value.trim()) {
      this.#said.textContent = t("air_address_missing");
      this.#address.focus();
      return;
    }
    this.#go.disabled = true;
    this.#said.textContent = "";
    try {
      await this.onAdd(this.#target);
      this.#choose();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#said.textContent = error.words;
    } finally {
      this.#go.disabled = false;
    }
  }
}

/** @param {string} value @param {string} words */
function option(value, words) {
  const element = /** @type {HTMLOptionElement} */ (make("option", "", words));
  element.value = value;
  return element;
}
