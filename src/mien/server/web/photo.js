// @ts-check
/** A visitor's own photo becomes a face: choose, consent, build, look at it, then keep or discard. */
import * as api from "./api.js";
import { find } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";

/** @typedef {"choose" | "build" | "judge"} Step */

export class Photo {
  #form = /** @type {HTMLFormElement} */ (find(".photo"));
  #file = /** @type {HTMLInputElement} */ (find(".photo-file"));
  #drop = find(".photo-drop");
  #shown = /** @type {HTMLImageElement} */ (find(".photo-shown"));
  #title = /** @type {HTMLInputElement} */ (find(".photo-title"));
  #consent = /** @type {HTMLInputElement} */ (find(".photo-consent input"));
  #create = /** @type {HTMLButtonElement} */ (find(".photo-create"));
  #bar = /** @type {HTMLProgressElement} */ (find(".photo-progress progress"));
  #step = find(".photo-step");
  #said = find(".photo-said");
  #moments = /** @type {HTMLImageElement} */ (find(".photo-moments"));
  /** @type {File | null} */ #photo = null;
  /** @type {AbortController | null} */ #building = null;
  /** @type {string | null} */ #draft = null;
  /** Why it did not work, again in the new language when that changes. */ #why = () => "";

  /** @param {(avatar: string) => void} onKept */
  constructor(onKept) {
    this.onKept = onKept;
    this.#file.addEventListener("change", () => this.#choose(this.#file.files?.[0]));
    this.#drop.addEventListener("dragover", (event) => event.preventDefault());
    this.#drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#choose(event.dataTransfer?.files[0]);
    });
    this.#consent.addEventListener("change", () => this.#ready());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#build();
    });
    find(".photo-cancel").addEventListener("click", () => this.#cancel());
    find(".photo-keep").addEventListener("click", () => this.#keep());
    find(".photo-discard").addEventListener("click", () => this.#discard());
    onLanguage(() => (this.#said.textContent = this.#why()));
  }

  open() {
    this.#form.hidden = false;
    // Only the panel may scroll: the page around it fits the window.
    this.#file.focus({ preventScroll: true });
    const body = find(".look-body");
    body.scrollTop += this.#form.getBoundingClientRect().top - body.getBoundingClientRect().top - 8;
  }

  /** @param {File} [photo] */
  #choose(photo) {
    if (!photo) return;
    this.#photo = photo;
    URL.revokeObjectURL(this.#shown.src);
    this.#shown.src = URL.createObjectURL(photo);
    this.#shown.hidden = false;
    this.#say(() => "");
    this.#ready();
  }

  #ready() {
    this.#create.disabled = !this.#photo || !this.#consent.checked;
  }

  /** @param {Step} step */
  #go(step) {
    this.#form.dataset.step = step;
  }

  /** @param {() => string} words @param {"error" | "advice"} [kind] */
  #say(words, kind = "error") {
    this.#why = words;
    this.#said.dataset.kind = kind;
    this.#said.textContent = words();
  }

  async #build() {
    if (!this.#photo || !this.#consent.checked) return;
    const building = new AbortController();
    this.#building = building;
    this.#say(() => "");
    this.#bar.removeAttribute("value");
    this.#step.textContent = "";
    this.#go("build");
    try {
      const draft = await api.buildAvatar(
        this.#photo,
        this.#title.value.trim(),
        (share, step) => {
          this.#bar.value = share;
          this.#step.textContent = t(`photo_step_${step}`);
        },
        building.signal,
      );
      this.#draft = draft.name;
      this.#moments.src = api.tokenUrl(draft.moments).href;
      await this.#moments.decode().catch(() => {}); // a question about nothing would be odd
      this.#say(() => draft.advice.map(localised).join(" "), "advice");
      this.#go("judge");
      find(".photo-keep").focus();
    } catch (error) {
      this.#go("choose");
      if (building.signal.aborted) return;
      if (!(error instanceof api.ApiError)) throw error;
      this.#say(() => error.words);
    }
  }

  #cancel() {
    if (this.#building && this.#form.dataset.step === "build") this.#building.abort();
    else this.#close();
  }

  async #keep() {
    const draft = this.#draft;
    if (!draft) return;
    try {
      await api.keepDraft(draft);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      return this.#say(() => error.words);
    }
    this.#close();
    this.onKept(draft);
  }

  #discard() {
    if (this.#draft) api.discardDraft(this.#draft).catch(() => {});
    this.#draft = null;
    this.#say(() => "");
    this.#go("choose");
    this.#file.focus({ preventScroll: true });
  }

  #close() {
    this.#draft = this.#photo = null;
    this.#form.reset();
    this.#form.hidden = this.#shown.hidden = true;
    this.#ready();
    this.#say(() => "");
    this.#go("choose");
    /** @type {HTMLElement} */ (find("[data-testid=face-photo]")).focus();
  }
}
