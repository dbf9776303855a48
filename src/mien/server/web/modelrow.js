// @ts-check
/** One model: what it is for, its licence, and how far it is. */
import { make } from "./dom.js";
import { localised, t } from "./i18n.js";
import { twoStep } from "./twostep.js";

/** @typedef {import("./models.js").Model} Model */
/** @typedef {import("./models.js").Pull} Pull */
/** @typedef {import("./i18n.js").Text} Text */

/** @param {number} bytes */
const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

export class ModelRow {
  element = make("li", "model");
  /** Whether its licence is being shown to be accepted. */ asking = false;
  /** @type {HTMLInputElement | null} */ #consent = null;
  #chosen = false;
  #action = make("div", "model-action");
  #below = make("div", "model-below");

  /**
   * @param {Model} model
   * @param {{onPull: (accepted: boolean) => void, onCancel: () => void, onRemove: () => void, onUse: () => Promise<string>}} events
   */
  constructor(model, events) {
    this.model = model;
    this.events = events;
    const { name, label, licence, own } = model;
    this.element.dataset.model = name;
    this.element.dataset.testid = `model-${name}`;
    const about = make("div", "model-about", make("b", "", name), make("p", "", localised(label)));
    const fine = [this.#size(), own ? t("model_own") : "", licence.name];
    about.append(make("p", "look-fine", fine.filter(Boolean).join(" · ")));
    this.element.append(make("div", "model-head", about, this.#action), this.#below);
    const { pull } = model;
    if (pull && !model.ready) this.show(pull);
    else this.#rest();
  }

  get accepted() {
    return Boolean(this.#consent?.checked);
  }

  focus() {
    /** @type {HTMLElement | null} */ (this.element.querySelector("button:not(:disabled), input"))?.focus();
  }

  /** How far it is, or how that ended. @param {Pull} pull */
  show(pull) {
    this.asking = false;
    this.element.dataset.state = pull.state;
    if (pull.state === "failed" && pull.error) this.refuse(pull.error.message);
    else if (pull.state === "running" || pull.state === "cancelling") this.#progress(pull);
    else this.#rest();
  }

  /** Why it did not work. @param {Text} why */
  refuse(why) {
    this.#rest();
    const said = make("p", "model-said", localised(why));
    said.setAttribute("role", "alert");
    this.#below.replaceChildren(said);
  }

  /** Shows the licence, to be accepted. @param {boolean} [accepted] */
  ask(accepted = false) {
    const { licence } = this.model;
    this.asking = true;
    const box = /** @type {HTMLInputElement} */ (make("input"));
    box.type = "checkbox";
    box.checked = accepted;
    box.dataset.testid = "model-accept";
    const fetch = this.#button("primary", t("model_fetch"), () => this.events.onPull(true));
    fetch.dataset.testid = "model-fetch";
    fetch.disabled = !accepted;
    box.addEventListener("change", () => (fetch.disabled = !box.checked));
    this.#consent = box;
    const text = make("p", "", localised(licence.text));
    if (licence.url) {
      const link = /** @type {HTMLAnchorElement} */ (make("a", "", t("model_licence")));
      link.href = licence.url;
      link.target = "_blank";
      link.rel = "noreferrer";
      text.append(" ", link);
    }
    const back = this.#button("plain", t("photo_cancel"), () => this.#rest());
    this.#action.replaceChildren();
    this.#below.replaceChildren(
      make("b", "model-licence", licence.name),
      text,
      make("label", "photo-consent", box, make("span", "", t("model_accept"))),
      make("div", "photo-buttons", back, fetch),
    );
    box.focus({ preventScroll: true });
  }

  #size() {
    const { size, half_fetched: half, ready } = this.model;
    const whole = size === null ? "" : `${megabytes(size)} MB`;
    return half && !ready ? [whole, t("model_half", { mb: megabytes(half) })].filter(Boolean).join(", ") : whole;
  }

  #rest() {
    const { name, kind, ready, half_fetched: half, licence } = this.model;
    this.asking = false;
    this.#below.replaceChildren();
    if (ready) {
      if (kind === "tts") this.#below.append(this.#use(), make("p", "look-fine", t("model_use", { name })));
      this.element.dataset.state = "ready";
      const remove = twoStep("remove", t("delete_face", { name }), () => this.events.onRemove());
      this.#action.replaceChildren(make("span", "model-ready", t("model_here")), remove);
      return;
    }
    const words = half ? t("model_go_on") : t("model_get");
    const get = this.#button("plain", words, () => (licence.accepted ? this.events.onPull(false) : this.ask()));
    get.setAttribute("aria-label", `${words}: ${name}`);
    get.dataset.testid = "model-get";
    this.#action.replaceChildren(get);
  }

  #use() {
    const use = this.#button("plain model-use", t("voice_use"), async () => {
      use.disabled = true;
      use.textContent = t("voice_loading");
      const why = await this.events.onUse();
      if (!use.isConnected) return;
      this.mark(this.#chosen);
      use.nextElementSibling?.replaceChildren(why || t("model_use", { name: this.model.name }));
      use.nextElementSibling?.classList.toggle("model-said", Boolean(why));
    });
    use.dataset.testid = "model-use";
    return use;
  }

  /** Whether it is the voice that speaks. @param {boolean} chosen */
  mark(chosen) {
    this.#chosen = chosen;
    const use = /** @type {HTMLButtonElement | null} */ (this.#below.querySelector(".model-use"));
    if (!use) return;
    use.disabled = chosen;
    use.textContent = t(chosen ? "voice_used" : "voice_use");
  }

  /** @param {Pull} pull */
  #progress(pull) {
    let bar = /** @type {HTMLProgressElement | null} */ (this.#below.querySelector("progress"));
    if (!bar) {
      bar = /** @type {HTMLProgressElement} */ (make("progress"));
      bar.max = 1;
      bar.setAttribute("aria-label", this.model.name);
      const step = make("p", "model-step look-fine");
      step.setAttribute("role", "status");
      this.#below.replaceChildren(bar, step);
      const cancel = this.#button("plain", t("photo_cancel"), () => this.events.onCancel());
      cancel.dataset.testid = "model-cancel";
      this.#action.replaceChildren(cancel);
    }
    if (pull.share === null) bar.removeAttribute("value");
    else bar.value = pull.share;
    const step = this.#below.querySelector(".model-step");
    if (step) step.textContent = doing(pull);
  }

  /** @param {string} className @param {string} words @param {() => void} act */
  #button(className, words, act) {
    const button = /** @type {HTMLButtonElement} */ (make("button", className, words));
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }
}

/** @param {Pull} pull */
function doing({ state, step, host, done, total, share }) {
  if (state === "cancelling") return t("model_stopping");
  if (step === "unpack") return t("model_unpacking", { percent: Math.round((share ?? 0) * 100) });
  if (!host) return t("model_asking");
  const values = { done: megabytes(done), host };
  return total === null ? t("model_coming", values) : t("model_fetching", { ...values, total: megabytes(total) });
}
