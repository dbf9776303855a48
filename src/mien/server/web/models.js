// @ts-check
/** Models on this server: what there is, what is here, and bringing one here while others wait. */
import * as api from "./api.js";
import { find, make } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { ModelRow } from "./modelrow.js";

/** @typedef {import("./i18n.js").Text} Text */
/**
 * @typedef {object} Pull
 * @property {"running" | "cancelling" | "done" | "failed" | "cancelled"} state
 * @property {"connect" | "fetch" | "copy" | "unpack"} step
 * @property {string | null} host
 * @property {number} done bytes
 * @property {number | null} total bytes
 * @property {number | null} share of the step, 0…1
 * @property {{code: string, message: Text} | null} error
 */
/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} kind
 * @property {Text} label
 * @property {boolean} own
 * @property {number | null} size bytes
 * @property {number} half_fetched bytes
 * @property {{name: string, text: Text, url: string, non_commercial: boolean, accepted: boolean}} licence
 * @property {boolean} ready
 * @property {Pull | null} pull
 */

const POLL_MS = 400;
const KINDS = ["lipsync", "tts", "asr", "kws", "bert"];

/** @param {Pull | null} pull */
const moving = (pull) => pull?.state === "running" || pull?.state === "cancelling";

export class Models {
  #details = /** @type {HTMLDetailsElement} */ (find(".models"));
  #count = find(".models-count");
  #list = find(".models-list");
  #said = find(".models-said");
  /** @type {Map<string, ModelRow>} */ #rows = new Map();
  #following = false;
  #chosen = "";

  /**
   * @param {object} events
   * @param {(name: string) => Promise<string>} events.onUse a voice that is here shall speak; why it cannot
   * @param {() => void} events.onChange another model is here, or one less
   */
  constructor(events) {
    this.events = events;
    this.#details.addEventListener("toggle", () => this.#details.open && this.offer());
    onLanguage(() => this.#details.open && this.offer());
  }

  /** Which voice speaks. @param {string} [name] */
  mark(name = this.#chosen) {
    this.#chosen = name;
    for (const [model, row] of this.#rows) row.mark(model === name);
  }

  /** Shows what there is now; does nothing while the part is folded. */
  async offer() {
    if (!this.#details.open) return;
    try {
      const models = await api.getModels();
      this.#said.textContent = "";
      this.#draw(models);
      const running = models.find(({ pull }) => moving(pull));
      if (running) this.#follow(running.name);
    } catch (error) {
      this.#tell(error);
    }
  }

  /** @param {Model[]} models */
  #draw(models) {
    const here = models.filter(({ ready }) => ready).length;
    this.#count.textContent = t("models_count", { n: here, all: models.length });
    const focused = document.activeElement?.closest("[data-model]")?.getAttribute("data-model");
    const old = this.#rows;
    this.#rows = new Map(models.map((model) => [model.name, this.#row(model, old.get(model.name))]));
    const kinds = [...KINDS, ...models.map(({ kind }) => kind).filter((kind) => !KINDS.includes(kind))];
    this.#list.replaceChildren();
    for (const kind of new Set(kinds)) {
      const rows = models.filter((model) => model.kind === kind).map(({ name }) => this.#rows.get(name));
      if (!rows.length) continue;
      const list = make("ul", "models-of", ...rows.map((row) => /** @type {ModelRow} */ (row).element));
      this.#list.append(make("h4", "", t(`models_${kind}`)), list);
    }
    this.mark();
    if (focused) this.#rows.get(focused)?.focus();
  }

  /** @param {Model} model @param {ModelRow} [old] */
  #row(model, old) {
    const row = new ModelRow(model, {
      onPull: (accepted) => this.#pull(model.name, accepted),
      onCancel: () => this.#act(api.cancelPull(model.name)),
      onRemove: () => this.#act(api.removeModel(model.name), true),
      onUse: () => this.events.onUse(model.name),
    });
    if (old?.asking && !model.ready && !moving(model.pull)) row.ask(old.accepted);
    return row;
  }

  /** @param {string} name @param {boolean} accepted */
  async #pull(name, accepted) {
    try {
      this.#rows.get(name)?.show(await api.startPull(name, accepted));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      this.#rows.get(name)?.refuse(error.text);
      return;
    }
    this.#follow(name);
  }

  /** Until it has ended or nobody looks. @param {string} name */
  async #follow(name) {
    if (this.#following) return;
    this.#following = true;
    try {
      for (;;) {
        const pull = await api.pullState(name);
        this.#rows.get(name)?.show(pull);
        if (!moving(pull)) break;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        if (!this.#details.open) return;
      }
    } catch (error) {
      this.#tell(error);
      return;
    } finally {
      this.#following = false;
    }
    this.offer();
    this.events.onChange();
  }

  /** @param {Promise<unknown>} asked @param {boolean} [again] whether the list changes by it */
  async #act(asked, again = false) {
    try {
      await asked;
    } catch (error) {
      this.#tell(error);
      return;
    }
    if (!again) return;
    this.offer();
    this.events.onChange();
  }

  /** @param {unknown} error */
  #tell(error) {
    if (!(error instanceof api.ApiError)) throw error;
    this.#said.textContent = error.words;
  }
}
