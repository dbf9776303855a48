// @ts-check
/** The connection panel: which way picture and sound come, why, how well, and what would help. */
import { find, make } from "./dom.js";
import { language, onLanguage, t } from "./i18n.js";
import { Meter } from "./pathfigures.js";

const EVERY_MS = 1000;

export class PathPanel {
  #button = /** @type {HTMLButtonElement} */ (find(".connection"));
  #panel = find(".path");
  #player;
  #meter = new Meter();
  /** @type {import("./pathfigures.js").Figures | null} */ #figures = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #timer;

  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.#player = player;
    this.#button.addEventListener("click", () => this.toggle());
    find(".path-close").addEventListener("click", () => this.toggle(false));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation(); // elsewhere it silences the presenter
      this.toggle(false);
    });
    addEventListener("pointerdown", ({ target }) => {
      if (target instanceof Element && !target.closest(".path, .connection")) this.toggle(false, false);
    });
    onLanguage(() => this.paint());
  }

  toggle(open = this.#panel.hidden, focus = true) {
    if (open !== this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    clearInterval(this.#timer);
    if (focus) (open ? this.#panel : this.#button).focus();
    if (!open) return;
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
    this.#look();
  }

  async #look() {
    this.#figures = await this.#meter.read(this.#player);
    this.paint();
  }

  paint() {
    if (this.#panel.hidden) return;
    const { path, why } = this.#player.state;
    const relay = this.#figures?.relay ?? "";
    const way = path === "webrtc" ? (relay ? "path_relay" : "path_direct") : path === "ws" ? "path_ws" : "path_none";
    find(".path-way").textContent = t(way, { by: relay });
    const because = path === "ws" ? `path_why_${why ?? "slow"}` : `${way}_why`;
    find(".path-why").textContent = t(because);
    find(".path-advice").hidden = !(path === "ws" && why !== "forced" && why !== "none") && path !== null;
    find(".path-figures").replaceChildren(...this.#rows().flatMap(([name, value]) => {
      const figure = make("dd", "", value);
      figure.dataset.figure = name;
      return [make("dt", "", t(`path_${name}`)), figure];
    }));
  }

  /** @returns {[string, string][]} */
  #rows() {
    const figures = this.#figures;
    if (!figures || !this.#player.state.path) return [];
    const { width, height, fps } = figures;
    /** @type {[string, string | null][]} */
    const rows = [
      ["delay", ms(figures.delay)],
      ["round_trip", ms(figures.roundTrip)],
      ["buffer", ms(figures.buffer)],
      ["bitrate", figures.bitrate === undefined ? null : `${number(figures.bitrate / 1e6, 2)} Mbit/s`],
      ["lost", figures.lost === undefined ? null : number(figures.lost)],
      ["picture", width && height ? `${width} × ${height}` : null],
      ["fps", fps === undefined ? null : number(fps, 1)],
    ];
    return rows.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
  }
}

/** @param {number | undefined} seconds */
const ms = (seconds) => (seconds === undefined ? null : `${number(1000 * seconds)} ms`);

/** @param {number} value @param {number} [digits] */
function number(value, digits = 0) {
  return new Intl.NumberFormat(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}
