// @ts-check
/** What the presenter is busy with before it can answer, and what of that did not work. */
import { make } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";

/** @typedef {import("./i18n.js").Text} Text */
/** @typedef {{turn: number | string, call: string, tool: string, label: Text, state: "begun" | "done" | "failed"}} ToolEvent */

export class ToolLine {
  /** Stands in the history while something is going on, or has failed. */
  row = make("li", "tool-line");
  /** @type {Map<string, Text>} */ #busy = new Map();
  /** @type {Map<string, Text>} */ #failed = new Map();
  /** @type {number | string | null} */ #turn = null;

  constructor() {
    this.row.dataset.testid = "tool-line";
    onLanguage(() => this.#paint());
    this.#paint();
  }

  get shown() {
    return this.#busy.size + this.#failed.size > 0;
  }

  /** @param {ToolEvent} event */
  told({ turn, call, tool, label, state }) {
    if (turn !== this.#turn) this.clear();
    this.#turn = turn;
    this.#busy.delete(call);
    if (state === "begun") {
      this.#failed.delete(tool); // it is tried again
      this.#busy.set(call, label);
    } else if (state === "failed") this.#failed.set(tool, label);
    this.#paint();
  }

  /** The answer is over, or given up. */
  rest() {
    this.#busy.clear();
    this.#paint();
  }

  /** Another question: what failed before is of no interest any more. */
  clear() {
    this.#failed.clear();
    this.rest();
  }

  #paint() {
    const doing = [...new Set([...this.#busy.values()].map((label) => localised(label)))];
    const failed = [...new Set([...this.#failed.values()].map((label) => localised(label)))];
    const lines = [
      ...doing.map((words) => line("busy", /[.…]$/.test(words) ? words : `${words}…`)),
      ...failed.map((words) => line("failed", t("tool_failed", { what: words.replace(/[.…]+$/, "") }))),
    ];
    this.row.replaceChildren(...lines);
    this.row.hidden = !lines.length;
  }
}

/** @param {string} state @param {string} words */
function line(state, words) {
  const mark = make("i", "tool-mark");
  mark.setAttribute("aria-hidden", "true");
  const shown = make("span", "tool-doing", mark, words);
  shown.dataset.state = state;
  return shown;
}
