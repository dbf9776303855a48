// @ts-check
/** The history of the conversation: what was asked, and what was really heard as the answer. */
import { find, make } from "./dom.js";
import { localised, onLanguage, t } from "./i18n.js";
import { SourceCards } from "./sources.js";
import { ToolLine } from "./toolline.js";

/** @typedef {number | string} Turn */
/** @typedef {{role: "user" | "assistant", text: string, turn: Turn, complete?: boolean, from?: string, sources?: import("./sources.js").Source[]}} Message */
/** @typedef {{row: HTMLElement, text: HTMLElement, turn: Turn | null, role: string, clauses: Set<unknown>, cards?: SourceCards}} Bubble */

/** What somebody of an audience wrote. @param {string} text @param {string} [from] */
export const asked = (text, from) => (from ? `${from}: ${text}` : text);

/** What was heard and is not answered within this time was a cough, or a word that only agreed. */
const UNANSWERED_MS = 4000;
const IDEAS = ["idea_1", "idea_2", "idea_3"];

export class Chat {
  #log = find(".log");
  #list = find(".messages");
  #welcome = find(".welcome");
  /** @type {Bubble[]} */ #bubbles = [];
  /** @type {HTMLElement | null} */ #dots = null;
  #tools = new ToolLine();
  /** Who answers, by name. @type {import("./i18n.js").Text | null} */ #speaker = null;
  /** What is being said into a microphone. @type {Bubble | null} */ #heard = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #unanswered;

  /** @param {(text: string) => void} onIdea a suggestion was chosen */
  constructor(onIdea) {
    this.#offerIdeas(onIdea);
    onLanguage(() => this.#relabel());
  }

  /** Nothing was asked yet; a greeting may have been said. */
  get untouched() {
    return !this.#bubbles.some(({ role }) => role === "user");
  }

  clear() {
    for (const { row } of this.#bubbles) row.remove();
    this.#bubbles = [];
    this.#heard = null;
    this.#tools.clear();
    this.thinking(false);
    this.#show();
  }

  /** The server's history replaces ours, except for what is being said right now. @param {Message[]} messages */
  replace(messages) {
    const known = new Set(messages.map((message) => `${message.role}/${message.turn}`));
    const speaking = this.#bubbles.filter(
      ({ role, turn, clauses, cards }) => role === "assistant" && (clauses.size > 0 || cards) && !known.has(`${role}/${turn}`),
    );
    this.clear();
    for (const { role, text, turn, complete, from, sources } of messages) {
      if (!text) continue;
      const bubble = this.#add(role, asked(text, from), turn);
      if (complete === false) this.#markInterrupted(bubble);
      if (sources?.length) this.#cite(bubble, sources);
    }
    for (const bubble of speaking) {
      this.#bubbles.push(bubble);
      this.#list.append(bubble.row);
    }
    this.#show();
  }

  /** Shown at once, before the server has answered. @param {string} text @returns {Bubble} */
  sending(text) {
    this.#tools.clear();
    const bubble = this.#add("user", text, null);
    bubble.row.classList.add("sending");
    this.#show(true);
    return bubble;
  }

  /** @param {Bubble} bubble @param {Turn} turn */
  sent(bubble, turn) {
    bubble.turn = turn;
    bubble.row.classList.remove("sending");
  }

  /** Never said: the message did not arrive, or nothing of the answer was heard. @param {Bubble} bubble */
  remove(bubble) {
    this.#bubbles = this.#bubbles.filter((other) => other !== bubble);
    bubble.row.remove();
    this.#show();
  }

  /** Words as they are recognised, in a bubble that grows. @param {string} text of the utterance so far @param {boolean} final */
  hearing(text, final) {
    if (!text) return this.#unhear();
    // Its question may be known already.
    if (final && !this.#heard && this.#bubbles.findLast(({ role }) => role === "user")?.text.textContent === text) return;
    this.#heard ??= this.#add("user", "", null);
    this.#heard.row.classList.add("hearing");
    this.#heard.text.textContent = text;
    this.speaking(!final);
    this.#show();
  }

  /** @param {boolean} speaking */
  speaking(speaking) {
    clearTimeout(this.#unanswered);
    if (!speaking) this.#unanswered = setTimeout(() => this.#unhear(), UNANSWERED_MS);
  }

  #unhear() {
    if (this.#heard) this.remove(this.#heard);
    this.#heard = null;
  }

  /** The server took a message, from this page or from elsewhere. @param {Turn} turn @param {string} text */
  user(turn, text) {
    if (this.#bubbles.some((bubble) => bubble.role === "user" && bubble.turn === turn)) return;
    // The event may overtake the answer to our own request.
    const mine = this.#bubbles.find((bubble) => bubble.row.classList.contains("sending") && bubble.text.textContent === text);
    const heard = this.#heard;
    if (mine) this.sent(mine, turn);
    else if (heard) {
      this.#heard = null;
      heard.row.classList.remove("hearing");
      heard.text.textContent = text;
      heard.turn = turn;
    }
    else this.#add("user", text, turn);
    this.#show();
  }

  /** A clause begins to sound. @param {Turn} turn @param {unknown} clause @param {string} text */
  clause(turn, clause, text) {
    const bubble = this.#assistant(turn) ?? this.#add("assistant", "", turn);
    if (bubble.clauses.has(clause)) return;
    bubble.clauses.add(clause);
    bubble.text.textContent = join(bubble.text.textContent ?? "", text);
    this.thinking(false);
    this.#show();
  }

  /** A tool begins or ends. @param {import("./toolline.js").ToolEvent} event */
  tool(event) {
    this.#tools.told(event);
    if (this.#tools.shown) this.#list.insertBefore(this.#tools.row, this.#dots);
    this.#show();
  }

  /** What the answer rests on; it may not be said yet. @param {Turn} turn @param {import("./sources.js").Source[]} sources */
  sources(turn, sources) {
    this.#cite(this.#assistant(turn) ?? this.#add("assistant", "", turn), sources);
    this.#show();
  }

  /** @param {Bubble} bubble @param {import("./sources.js").Source[]} sources */
  #cite(bubble, sources) {
    bubble.cards ??= new SourceCards();
    bubble.cards.show(sources);
    if (!bubble.cards.element.isConnected) bubble.row.append(bubble.cards.element);
  }

  /** Who answers from now on. @param {import("./i18n.js").Text | null} name */
  speaker(name) {
    this.#speaker = name;
    this.#relabel();
  }

  /** The end of a turn. @param {Turn} turn @param {string} heard @param {boolean} complete */
  turn(turn, heard, complete) {
    this.thinking(false);
    this.#tools.rest();
    let bubble = this.#assistant(turn);
    if (!heard) return bubble && this.remove(bubble);
    bubble ??= this.#add("assistant", "", turn);
    bubble.text.textContent = heard;
    if (!complete) this.#markInterrupted(bubble);
    this.#show();
  }

  /** @param {boolean} on */
  thinking(on) {
    if (on === Boolean(this.#dots)) return;
    this.#dots?.remove();
    this.#dots = null;
    if (!on) return;
    this.#dots = make("li", "message assistant dots", make("p", "text", make("i"), make("i"), make("i")));
    this.#dots.setAttribute("aria-label", `${this.#called("assistant")} ${t("thinking_dots")}`);
    this.#list.append(this.#dots);
    this.#scroll(true);
  }

  /** Keeps the earlier conversation readable above a line. */
  divide() {
    if (!this.#bubbles.length) return;
    for (const { row } of this.#bubbles) row.classList.add("earlier");
    const line = make("li", "divider", t("new_divider"));
    line.dataset.i18n = "new_divider";
    this.#list.append(line);
    this.#bubbles = [];
    this.#heard = null;
    this.#scroll(true);
  }

  /** @param {Turn} turn */
  #assistant(turn) {
    return this.#bubbles.find((bubble) => bubble.role === "assistant" && bubble.turn === turn);
  }

  /** @param {string} role @param {string} text @param {Turn | null} turn @returns {Bubble} */
  #add(role, text, turn) {
    const body = make("p", "text", text);
    const who = make("span", "sr who-said", this.#called(role));
    const row = make("li", `message ${role}`, who, body);
    const bubble = { row, text: body, turn, role, clauses: new Set() };
    this.#bubbles.push(bubble);
    const doing = this.#tools.row.isConnected && this.#tools.shown ? this.#tools.row : this.#dots;
    this.#list.insertBefore(row, role === "user" ? this.#dots : doing);
    return bubble;
  }

  /** @param {Bubble} bubble */
  #markInterrupted({ row }) {
    if (row.querySelector(".cut")) return;
    const mark = make("span", "cut", t("interrupted"));
    mark.dataset.i18n = "interrupted";
    row.append(mark);
  }

  /** @param {boolean} [force] */
  #show(force = false) {
    // The ideas stay below a greeting, until the visitor's first message.
    this.#welcome.hidden = !this.untouched || Boolean(this.#list.querySelector(".earlier"));
    this.#welcome.classList.toggle("brief", this.#bubbles.length > 0);
    // A welcome longer than the place is read from its beginning.
    if (this.#bubbles.length) this.#scroll(force);
  }

  /** Follows the conversation unless the visitor scrolled up to read. @param {boolean} force */
  #scroll(force) {
    const log = this.#log;
    const near = log.scrollHeight - log.scrollTop - log.clientHeight < 160;
    if (force || near) log.scrollTop = log.scrollHeight;
  }

  /** @param {(text: string) => void} onIdea */
  #offerIdeas(onIdea) {
    for (const key of IDEAS) {
      const button = /** @type {HTMLButtonElement} */ (make("button", "idea", t(key)));
      button.type = "button";
      button.dataset.i18n = key;
      button.addEventListener("click", () => onIdea(t(key)));
      find(".ideas", this.#welcome).append(button);
    }
  }

  #relabel() {
    for (const { row, role, cards } of this.#bubbles) {
      find(".who-said", row).textContent = this.#called(role);
      cards?.relabel();
    }
  }

  /** @param {string} role */
  #called(role) {
    return role === "user" ? t("you") : localised(this.#speaker) || t("them");
  }
}

/** Clauses of a language with spaces may come without the one between them. @param {string} before @param {string} after */
export function join(before, after) {
  const gap = /[^\s\u3000-\u9fff\uff00-\uffef]$/.test(before) && /^[^\s\u3000-\u9fff\uff00-\uffef]/.test(after);
  return before + (gap ? " " : "") + after;
}
