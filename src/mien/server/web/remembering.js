// @ts-check
/** The panel about being remembered: on or off, what is known, taking it along, erasing it. */
import { ApiError } from "./api.js";
import { find, make } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import * as api from "./rememberapi.js";
import { twoStep } from "./twostep.js";
import { forgetUser, makeKey, userKey, wantMemory, wantsMemory } from "./userkey.js";

/** @typedef {{offered: boolean, on: boolean, facts?: number, turns?: number}} Memory */

export class Remembering {
  #panel = find(".remember");
  #chip = /** @type {HTMLButtonElement} */ (find("[data-testid=chip-memory]"));
  #switch = /** @type {HTMLInputElement} */ (find("[data-testid=remember-switch]"));
  #known = find(".remember-known");
  #facts = find(".remember-facts");
  #said = find(".remember-said");
  #buttons = find(".remember-buttons");
  #close = find("[data-testid=remember-close]");
  /** @type {Memory} */ #memory = { offered: false, on: false };
  /** @type {import("./rememberapi.js").Fact[]} */ #remembered = [];
  #busy = false;

  /** @param {() => string | undefined} session the id of the visitor's own session, while there is one */
  constructor(session) {
    this.session = session;
    this.#chip.addEventListener("click", () => this.toggle());
    this.#close.addEventListener("click", () => this.toggle(false));
    this.#switch.addEventListener("change", () => this.#turn(this.#switch.checked));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // Here it closes the panel; elsewhere it silences the presenter.
      event.stopPropagation();
      this.toggle(false);
    });
    document.addEventListener("panel", (event) => {
      if (/** @type {CustomEvent} */ (event).detail !== this) this.toggle(false);
    });
    onLanguage(() => this.#relabel());
    this.#relabel();
  }

  /** A session begins: whoever wanted to be remembered is known from its first word on. @param {string} id */
  async begin(id) {
    if (!wantsMemory()) return;
    try {
      this.#memory = await api.setMemory(id, true);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The server may not offer it (any more); what it says of itself decides.
    }
    this.#paint();
  }

  /** What the session says. @param {Memory | undefined} memory */
  show(memory) {
    this.#memory = { ...this.#memory, ...(memory ?? { offered: false, on: false }) };
    this.#paint();
  }

  /** Switched on or off, or more is known; here or in another tab. @param {Partial<Memory>} change */
  changed(change) {
    this.#memory = { ...this.#memory, ...change };
    this.#paint();
    if (!this.#panel.hidden) this.#look();
  }

  /** @param {boolean} [open] */
  toggle(open = Boolean(this.#panel.hidden)) {
    if (open === !this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.#chip.setAttribute("aria-expanded", String(open));
    if (!open) return this.#chip.focus();
    document.dispatchEvent(new CustomEvent("panel", { detail: this }));
    this.#tell("");
    this.#look();
    this.#paint();
    this.#close.focus();
  }

  /** @param {boolean} on */
  #turn(on) {
    return this.#do(async (id) => {
      if (on) makeKey();
      this.#memory = await api.setMemory(id, on);
      wantMemory(on); // for the next visit, now that it is so
    });
  }

  /** What is remembered now. */
  async #look() {
    if (!userKey()) return;
    try {
      const facts = await api.getFacts();
      if (JSON.stringify(facts) !== JSON.stringify(this.#remembered)) this.#list(facts);
      this.#paint();
    } catch (error) {
      this.#explain(error);
    }
  }

  /** @param {import("./rememberapi.js").Fact} fact */
  #forget({ id }) {
    return this.#do(() => api.forgetFact(id));
  }

  #erase() {
    return this.#do(async () => {
      await api.eraseMemory();
      forgetUser();
      this.#memory = { ...this.#memory, on: false };
      this.#list([]);
      this.#tell(t("memory_erased"));
      this.#close.focus(); // what was pressed is no longer there
    });
  }

  /** One thing at a time; then what is remembered is looked at anew. @param {(id: string) => Promise<unknown>} act */
  async #do(act) {
    const id = this.session();
    if (!id || this.#busy) return this.#paint();
    this.#busy = true;
    this.#tell("");
    try {
      await act(id);
    } catch (error) {
      this.#explain(error);
    }
    this.#busy = false;
    await this.#look();
    this.#paint();
  }

  #paint() {
    const { offered, on } = this.#memory;
    const state = make("span", "chip-name", t(on ? "memory_on" : "memory_off"));
    this.#chip.replaceChildren(make("span", "chip-part", `${t("memory")}:`), " ", state);
    this.#chip.hidden = !offered;
    if (!offered) this.#panel.hidden = true;
    this.#switch.checked = on;
    this.#known.hidden = !userKey();
    find(".remember-off").hidden = on || !userKey();
    find(".remember-nothing").hidden = this.#remembered.length > 0;
  }

  /** Buttons that ask first must not be replaced in between, so only where words or facts change. */
  #relabel() {
    this.#buttons.replaceChildren(this.#download(), this.#eraser());
    this.#list(this.#remembered);
    this.#paint();
  }

  /** @param {import("./rememberapi.js").Fact[]} facts */
  #list(facts) {
    this.#remembered = facts;
    const at = [...this.#facts.children].findIndex((row) => row.contains(document.activeElement));
    const rows = facts.map((fact) => this.#fact(fact));
    this.#facts.replaceChildren(...rows);
    // Without the focus inside, Escape would silence the presenter instead of closing the panel.
    if (at >= 0) (rows[Math.min(at, rows.length - 1)]?.querySelector("button") ?? this.#close).focus();
  }

  /** @param {import("./rememberapi.js").Fact} fact */
  #fact(fact) {
    const row = make("li", "remember-fact", make("bdi", "", fact.text));
    row.title = fact.said;
    row.dataset.testid = "fact";
    row.append(twoStep("remove", t("memory_forget", { what: fact.text }), () => this.#forget(fact)));
    return row;
  }

  #download() {
    const button = /** @type {HTMLButtonElement} */ (make("button", "plain", t("memory_export")));
    button.type = "button";
    button.dataset.testid = "remember-export";
    button.addEventListener("click", () => api.download().catch((error) => this.#explain(error)));
    return button;
  }

  #eraser() {
    const said = { words: t("memory_erase"), ask: t("memory_erase_ask") };
    const button = twoStep("plain erase", t("memory_erase"), () => this.#erase(), said);
    button.dataset.testid = "remember-erase";
    return button;
  }

  /** @param {unknown} error */
  #explain(error) {
    if (!(error instanceof ApiError)) throw error;
    // Of a session that has ended the page tells by itself.
    if (error.code !== "no_such_session") this.#tell(error.words);
  }

  /** @param {string} words */
  #tell(words) {
    this.#said.textContent = words;
  }
}
