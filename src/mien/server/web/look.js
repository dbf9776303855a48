// @ts-check
/** The panel where a visitor chooses persona, face, background and voice; the conversation goes on meanwhile. */
import * as api from "./api.js";
import { Backdrops } from "./backdrops.js";
import { find } from "./dom.js";
import { Faces } from "./faces.js";
import { localised, onLanguage, t } from "./i18n.js";
import { forget, recall, remember } from "./memory.js";
import { Models } from "./models.js";
import { NewFace } from "./newface.js";
import { Personas } from "./personas.js";
import { toast } from "./toasts.js";
import { Voices, dropVoice } from "./voices.js";

/** @typedef {{avatar: string, background: string, blur: number}} Look */

const KEY = "mien.look";
/** What a new session is asked for does not exist (any more) or does not work. */
const REFUSED = ["no_such_avatar", "no_such_background", "broken_look", "not_ready"];

/** What this visitor chose last, for the next session. @returns {Partial<Look>} */
export function rememberedLook() {
  try {
    const kept = JSON.parse(recall(KEY) ?? "{}");
    const { avatar, background, blur } = kept ?? {};
    return { avatar, background, blur };
  } catch {
    return {};
  }
}

/** Whether a session was refused for the look that was remembered, which is then forgotten. @param {unknown} error */
export const forgetLook = (error) => error instanceof api.ApiError && REFUSED.includes(error.code) && forget(KEY);

export class LookPanel {
  #panel = find(".look");
  #button = /** @type {HTMLButtonElement} */ (find(".look-button"));
  /** @type {Partial<Look>} */ #wanted = {};
  #busy = false;
  /** @type {Look | null} */ #shown = null;
  /** @type {Promise<unknown>} */ #offered = Promise.resolve();
  /** Faces that keep their own background. @type {Set<string>} */ #filmed = new Set();

  /** @param {() => string | undefined} session the id of the session, while there is one */
  constructor(session) {
    this.session = session;
    this.faces = new Faces({
      onPick: (avatar) => this.#wear({ avatar }),
      onRemove: (avatar) => this.#remove(() => api.removeAvatar(avatar)),
      onNew: () => this.newFace.open(),
    });
    this.backdrops = new Backdrops({
      onPick: (background) => this.#wear({ background }),
      onBlur: (blur) => this.#wear({ blur }),
      onUpload: (file) => this.#upload(file),
      onRemove: (name) => this.#remove(() => api.removeBackground(name)),
    });
    this.newFace = new NewFace(({ name, why_not }) => {
      if (why_not) this.faces.tell(localised(why_not));
      else this.#wear({ avatar: name });
      this.#offer();
    });
    this.voices = new Voices(session, () => this.models?.mark(this.voices.chosen));
    this.personas = new Personas(session, (snapshot) => {
      // It brings its own along; what was chosen for the one before does not hold any more.
      forget(KEY);
      dropVoice();
      this.show(snapshot);
      this.voices.show(snapshot.voice.wanted ?? snapshot.voice.name);
    });
    this.models = new Models({
      onUse: (name) => this.voices.choose(name),
      onChange: () => this.voices.offer(),
    });
    this.#button.addEventListener("click", () => this.toggle());
    find("[data-testid=look-close]").addEventListener("click", () => this.toggle(false));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // Here it closes the panel; elsewhere it silences the presenter.
      event.stopPropagation();
      this.toggle(false);
    });
    document.addEventListener("panel", (event) => {
      if (/** @type {CustomEvent} */ (event).detail !== this) this.toggle(false);
    });
    onLanguage(() => {
      if (this.#panel.hidden) return;
      this.#offer();
      this.personas.offer();
      this.voices.offer();
    });
  }

  /** @param {boolean} [open] */
  toggle(open = Boolean(this.#panel.hidden)) {
    if (open === !this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (open) {
      // Other panels lie in the same place.
      document.dispatchEvent(new CustomEvent("panel", { detail: this }));
      this.faces.tell("");
      this.#offered = Promise.all([this.personas.offer(), this.#offer(), this.voices.offer()]);
      this.models.offer();
      find("[data-testid=look-close]").focus();
    } else {
      this.#button.focus();
    }
  }

  /** Opens where voices are. */
  async showVoices() {
    this.toggle(true);
    await this.#offered;
    find("#voices-title").scrollIntoView();
  }

  /** What the session shows now, whoever changed it. @param {Look} look */
  show({ avatar, background, blur }) {
    this.#shown = { avatar, background, blur };
    this.faces.show(avatar);
    this.backdrops.show(background, blur);
    this.backdrops.allow(!this.#filmed.has(avatar));
  }

  async #offer() {
    try {
      const [avatars, backgrounds] = await Promise.all([api.getAvatars(), api.getBackgrounds()]);
      this.#filmed = new Set(avatars.filter((face) => face.own_background).map((face) => face.name));
      this.faces.offer(avatars);
      this.backdrops.offer(backgrounds);
      if (this.#shown) this.show(this.#shown);
    } catch (error) {
      this.#tell(error);
    }
  }

  /** One request at a time; what is chosen meanwhile is sent together. @param {Partial<Look>} change */
  async #wear(change) {
    this.#wanted = { ...this.#wanted, ...change };
    if (this.#busy) return;
    this.#busy = true;
    this.#panel.setAttribute("aria-busy", "true");
    while (Object.keys(this.#wanted).length) {
      const asked = this.#wanted;
      this.#wanted = {};
      try {
        const id = this.session();
        if (!id) continue;
        if (this.#filmed.has(asked.avatar ?? "")) this.faces.tell(t("preparing"));
        this.show(await api.changeLook(id, asked));
        remember(KEY, JSON.stringify(this.#shown));
      } catch (error) {
        if (this.#shown) this.show(this.#shown);
        this.#tell(error);
      }
    }
    this.#busy = false;
    this.faces.tell("");
    this.#panel.removeAttribute("aria-busy");
  }

  /** @param {File} file */
  async #upload(file) {
    try {
      const { name } = await api.addBackground(file);
      await this.#offer();
      await this.#wear({ background: name });
    } catch (error) {
      this.#tell(error);
    }
  }

  /** @param {() => Promise<unknown>} removing */
  async #remove(removing) {
    try {
      await removing();
    } catch (error) {
      this.#tell(error);
    }
    await this.#offer();
  }

  /** @param {unknown} error */
  #tell(error) {
    if (!(error instanceof api.ApiError)) throw error;
    // Of a session that has ended the page tells by itself.
    if (error.code === "no_such_session") return;
    toast(error.words, { code: error.code });
  }
}
