// @ts-check
/** A visitor's own photo or clip becomes a face: choose, consent, build, look at it, keep or discard. */
import { ApiError, tokenUrl } from "./api.js";
import { buildAvatar, discardDraft, keepDraft } from "./drafts.js";
import { find } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";

/** @typedef {"choose" | "build" | "judge"} Step */
/** @typedef {import("./drafts.js").Draft} Draft */

/** Of the bar of a clip; a photo is sent at once. */
const UPLOAD_PART = 0.3;
const MB = 1_000_000;
/** Some systems do not know the type of every video. */
const VIDEO_NAME = /\.(mp4|m4v|mov|mkv|webm|avi|3gp|mts|m2ts|wmv|flv)$/i;

/** @param {File} source */
const isClip = ({ type, name }) => type.startsWith("video/") || (!type && VIDEO_NAME.test(name));

export class NewFace {
  /** The largest clip the server takes, in bytes. */
  maxClip = Infinity;
  #form = /** @type {HTMLFormElement} */ (find(".photo"));
  #file = /** @type {HTMLInputElement} */ (find(".photo-file"));
  #drop = find(".photo-drop");
  #shown = /** @type {HTMLImageElement} */ (find("img.photo-shown"));
  #clip = /** @type {HTMLVideoElement} */ (find("video.photo-shown"));
  #chosen = find(".photo-chosen");
  #title = /** @type {HTMLInputElement} */ (find(".photo-title"));
  #consent = /** @type {HTMLInputElement} */ (find(".photo-consent input"));
  #create = /** @type {HTMLButtonElement} */ (find(".photo-create"));
  #bar = /** @type {HTMLProgressElement} */ (find(".photo-progress progress"));
  #step = find(".photo-step");
  #said = find(".photo-said");
  #moments = /** @type {HTMLImageElement} */ (find(".photo-moments"));
  /** @type {File | null} */ #source = null;
  /** @type {AbortController | null} */ #building = null;
  /** @type {Draft | null} */ #draft = null;
  /** What is being done, again in the new language when that changes. */ #doing = () => "";
  /** Why it did not work, or could be better, likewise. */ #why = () => "";

  /** @param {(draft: Draft) => void} onKept */
  constructor(onKept) {
    this.onKept = onKept;
    this.#file.addEventListener("change", () => this.#choose(this.#file.files?.[0]));
    this.#drop.addEventListener("dragover", (event) => event.preventDefault());
    this.#drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#choose(event.dataTransfer?.files[0]);
    });
    // A video this browser cannot play may still be a good one.
    for (const shown of [this.#shown, this.#clip]) shown.addEventListener("error", () => (shown.hidden = true));
    this.#consent.addEventListener("change", () => this.#ready());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#build();
    });
    find(".photo-cancel").addEventListener("click", () => this.#cancel());
    find(".photo-keep").addEventListener("click", () => this.#keep());
    find(".photo-discard").addEventListener("click", () => this.#discard());
    onLanguage(() => {
      this.#said.textContent = this.#why();
      this.#step.textContent = this.#doing();
    });
  }

  open() {
    this.#form.hidden = false;
    // Only the panel may scroll: the page around it fits the window.
    this.#file.focus({ preventScroll: true });
    const body = find(".look-body");
    body.scrollTop += this.#form.getBoundingClientRect().top - body.getBoundingClientRect().top - 8;
  }

  /** @param {File} [source] */
  #choose(source) {
    if (!source) return;
    this.#forgetChoice();
    this.#source = source;
    const clip = isClip(source);
    const shown = clip ? this.#clip : this.#shown;
    shown.src = URL.createObjectURL(source) + (clip ? "#t=0.1" : "");
    shown.hidden = false;
    this.#chosen.textContent = clip ? `${source.name} · ${Math.ceil(source.size / MB)} MB` : source.name;
    const tooLarge = clip && source.size > this.maxClip;
    this.#say(() => (tooLarge ? t("clip_too_large", { mb: this.maxClip / MB }) : ""));
    if (tooLarge) this.#source = null;
    this.#ready();
  }

  #ready() {
    this.#create.disabled = !this.#source || !this.#consent.checked;
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

  /** @param {number} share @param {() => string} words */
  #progress(share, words) {
    this.#bar.value = share;
    this.#doing = words;
    this.#step.textContent = words();
  }

  async #build() {
    const source = this.#source;
    if (!source || !this.#consent.checked) return;
    const building = new AbortController();
    this.#building = building;
    this.#say(() => "");
    this.#progress(0, () => "");
    this.#bar.removeAttribute("value");
    this.#go("build");
    const upload = isClip(source) ? UPLOAD_PART : 0;
    try {
      const draft = await buildAvatar(source, this.#title.value.trim(), {
        onSent: (share) => this.#progress(share * upload, () => t("photo_step_upload", { percent: Math.round(share * 100) })),
        onProgress: (share, step) => this.#progress(upload + share * (1 - upload), () => t(`photo_step_${step}`)),
        signal: building.signal,
      });
      this.#draft = draft;
      this.#moments.src = tokenUrl(draft.moments).href;
      await this.#moments.decode().catch(() => {}); // a question about nothing would be odd
      this.#say(() => [...draft.advice, draft.why_not].map(localised).join(" "), "advice");
      this.#go("judge");
      find(".photo-keep").focus();
    } catch (error) {
      this.#go("choose");
      if (building.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
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
      await keepDraft(draft.name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.#say(() => error.words);
    }
    this.#close();
    this.onKept(draft);
  }

  #discard() {
    if (this.#draft) discardDraft(this.#draft.name).catch(() => {});
    this.#draft = null;
    this.#say(() => "");
    this.#go("choose");
    this.#file.focus({ preventScroll: true });
  }

  #forgetChoice() {
    this.#source = null;
    this.#chosen.textContent = "";
    for (const shown of [this.#shown, this.#clip]) {
      if (shown.src) URL.revokeObjectURL(shown.src.replace("#t=0.1", ""));
      shown.removeAttribute("src");
      shown.hidden = true;
    }
  }

  #close() {
    this.#draft = null;
    this.#forgetChoice();
    this.#form.reset();
    this.#form.hidden = true;
    this.#ready();
    this.#say(() => "");
    this.#go("choose");
    /** @type {HTMLElement} */ (find("[data-testid=face-photo]")).focus();
  }
}
