// @ts-check
/** The panel of outputs: where the presenter is seen besides this page, and recordings. */
import { ApiError, getInfo } from "./api.js";
import { AirForm } from "./airform.js";
import { AirRow, FILES } from "./airrow.js";
import { find } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";
import * as outputs from "./outputs.js";
import { toast } from "./toasts.js";

/** @typedef {import("./outputs.js").Output} Output */

const POLL_MS = 1000;

export class OnAirPanel {
  #panel = find(".onair");
  #button = /** @type {HTMLButtonElement} */ (find(".onair-button"));
  #said = find(".onair-said");
  /** @type {Map<string, AirRow>} */ #rows = new Map();
  /** Why each is not on the air, as far as that was told. @type {Map<string, string>} */ #told = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */ #ticking;

  /**
   * @param {() => string | undefined} session the id of the session, while there is one
   * @param {() => void} onFile a recording has begun or ended, or the panel was opened
   */
  constructor(session, onFile = () => {}) {
    this.session = session;
    this.onFile = onFile;
    this.form = new AirForm((target) => this.#add(target));
    this.#button.addEventListener("click", () => this.toggle());
    find(".onair-close").addEventListener("click", () => this.toggle(false));
    for (const button of this.#panel.querySelectorAll("[data-record]")) {
      const format = button.getAttribute("data-record");
      button.addEventListener("click", () => this.#ask(() => this.#add({ url: `record:${format}` })));
    }
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
      for (const row of this.#rows.values()) row.translate();
      this.#draw();
    });
    this.#draw();
  }

  /** @param {boolean} [open] */
  toggle(open = Boolean(this.#panel.hidden)) {
    if (open === !this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    clearInterval(this.#ticking);
    if (!open) return this.#button.focus();
    document.dispatchEvent(new CustomEvent("panel", { detail: this }));
    this.#ticking = setInterval(() => this.#refresh(), POLL_MS);
    this.#refresh();
    getInfo().then(({ profiles }) => this.form.offer(profiles), () => {});
    this.onFile();
    find(".onair-close").focus();
  }

  /** All there are, as the session says when the page joins it. @param {Output[]} all */
  replace(all) {
    const gone = new Set(this.#rows.keys());
    for (const output of all) {
      gone.delete(output.id);
      this.#put(output);
    }
    for (const id of gone) this.#take(id);
    this.#draw();
  }

  /** One of them has changed. @param {Output} output */
  change(output) {
    if (output.state === "ended") this.#take(output.id);
    else this.#put(output);
    this.#draw();
    if (FILES.includes(output.kind)) this.onFile();
    if (this.#panel.hidden && output.state !== "ended") this.#tell(output);
  }

  /** What somebody should know who does not look at the panel, once. @param {Output} output */
  #tell({ id, state, label, reason }) {
    if (state === "live") this.#told.delete(id);
    if (!["waiting", "failed"].includes(state) || !reason || this.#told.get(id) === reason.code) return;
    this.#told.set(id, reason.code);
    toast(`${label}: ${localised(reason.message)}`, { code: `output-${id}`, kind: "notice" });
  }

  /** @param {Output} output */
  #put(output) {
    const known = this.#rows.get(output.id);
    if (known) return known.show(output);
    const row = new AirRow(output, {
      onStop: () => this.#ask((id) => outputs.stopOutput(id, output.id)),
      onRetry: () => this.#ask((id) => outputs.retryOutput(id, output.id)),
      onPause: (paused) => this.#ask((id) => outputs.pauseOutput(id, output.id, paused)),
    });
    this.#rows.set(output.id, row);
    find(".airs").append(row.element);
  }

  /** @param {string} id */
  #take(id) {
    const held = this.#rows.get(id)?.element.contains(document.activeElement);
    this.#rows.get(id)?.element.remove();
    this.#rows.delete(id);
    if (held) find(".onair-close").focus();
  }

  #draw() {
    const states = [...this.#rows.values()].map(({ output }) => output.state);
    const worst = ["failed", "waiting", "connecting", "live", "paused"].find((state) => states.includes(/** @type {any} */ (state)));
    this.#button.dataset.air = worst ?? "off";
    this.#button.setAttribute("aria-label", worst ? `${t("onair")}: ${t(`air_${worst}`)}` : t("onair_open"));
    find(".onair-nothing").hidden = Boolean(find(".airs").childElementCount);
  }

  /** @param {import("./outputs.js").Target} target */
  async #add(target) {
    const id = this.session();
    if (!id) return;
    const added = await outputs.addOutput(id, target);
    // An event may have told of it already, and of more.
    if (!this.#rows.has(added.id)) this.#put(added);
    this.#draw();
    this.#rows.get(added.id)?.element.scrollIntoView({ block: "nearest" });
  }

  /** Bytes are not told as events. */
  async #refresh() {
    for (const row of this.#rows.values()) row.tick();
    const id = this.session();
    if (!id || !this.#rows.size) return;
    try {
      this.replace(await outputs.listOutputs(id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the page tells of lost servers by itself
    }
  }

  /** @param {(session: string) => Promise<unknown>} asking */
  async #ask(asking) {
    const id = this.session();
    if (!id) return;
    this.#said.textContent = "";
    try {
      await asking(id);
      this.replace(await outputs.listOutputs(id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code !== "no_such_output") this.#said.textContent = error.words;
    }
  }
}
