// @ts-check
/** Where the time of an answer went, stage by stage, as bars one after the other. */
import { find, make } from "./dom.js";
import { language, onLanguage, t } from "./i18n.js";
import { recall, remember } from "./memory.js";

const SPOKEN = ["speech_end", "asr_final", "turn_end"];
const ANSWER = ["llm_first_token", "first_clause", "tts_first_pcm", "first_mouth", "first_packet"];
const KEY = "mien.latency.open";

export class LatencyPanel {
  #panel = /** @type {HTMLDetailsElement} */ (find(".latency"));
  #total = find(".latency-total");
  #body = find(".latency tbody");
  #caption = find(".latency caption");
  #note = find(".latency .fine");
  /** @type {number | string | null} */ #turn = null;
  /** @type {Record<string, number>} */ #stages = {};

  constructor() {
    this.#panel.open = recall(KEY) === "yes";
    this.#panel.addEventListener("toggle", () => remember(KEY, this.#panel.open ? "yes" : "no"));
    onLanguage(() => this.#paint());
    this.#paint();
  }

  /** Stages may arrive one after the other. @param {number | string} turn @param {Record<string, number | null>} stages milliseconds */
  add(turn, stages) {
    if (turn !== this.#turn) this.#stages = {};
    this.#turn = turn;
    for (const [stage, ms] of Object.entries(stages)) if (typeof ms === "number") this.#stages[stage] = ms;
    this.#paint();
  }

  #paint() {
    const known = Object.values(this.#stages);
    const spoken = "speech_end" in this.#stages;
    this.#caption.textContent = t(spoken ? "latency_caption_spoken" : "latency_caption");
    this.#note.textContent = t(spoken ? "latency_note_spoken" : "latency_note");
    const total = this.#stages.heard ?? this.#stages.first_packet;
    this.#total.textContent = total === undefined ? "–" : seconds(total);
    const most = Math.max(1, ...known);
    let before = 0;
    this.#body.replaceChildren(
      ...(spoken ? [...SPOKEN, ...ANSWER] : [...ANSWER, "heard"]).map((stage) => {
        const ms = this.#stages[stage];
        const bar = make("span", "bar-fill");
        if (ms !== undefined) {
          bar.style.left = `${(100 * Math.min(before, ms)) / most}%`;
          bar.style.width = `${(100 * Math.max(0, ms - before)) / most}%`;
          before = Math.max(before, ms);
        }
        const name = make("th", "", t(stage));
        name.setAttribute("scope", "row");
        const cell = make("td", "bar-cell", make("span", "bar-track", ...(ms === undefined ? [] : [bar])));
        cell.setAttribute("aria-hidden", "true");
        const row = make("tr", stage === "heard" ? "felt" : "", name, cell, make("td", "ms", ms === undefined ? "–" : `${Math.round(ms)} ms`));
        row.dataset.stage = stage;
        return row;
      }),
    );
  }
}

/** @param {number} ms */
function seconds(ms) {
  const figure = new Intl.NumberFormat(language(), { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${figure.format(ms / 1000)} s`;
}
