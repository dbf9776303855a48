// @ts-check
/** The recordings on the server: watched, saved, deleted. Part of the panel of outputs. */
import { ApiError, request, tokenUrl } from "./api.js";
import { clock } from "./airrow.js";
import { find, make } from "./dom.js";
import { language, onLanguage, t } from "./i18n.js";
import { twoStep } from "./twostep.js";

/** @typedef {{name: string, bytes: number, seconds: number | null, created: number, recording: boolean}} Recording */

const PLACE = "/api/v1/recordings";
/** @param {string} name */
const at = (name) => `${PLACE}/${encodeURIComponent(name)}`;

export class Recordings {
  #list = make("ul", "records");
  #said = make("p", "air-said");
  /** @type {Recording[]} */ #shown = [];

  constructor() {
    this.#said.setAttribute("role", "alert");
    this.#list.dataset.testid = "recordings";
    find(".recordings").append(this.#said, this.#list);
    onLanguage(() => this.#draw());
  }

  /** Shows what there is now. */
  async offer() {
    try {
      this.#shown = await (await request("GET", PLACE)).json();
      this.#said.textContent = "";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#said.textContent = error.words;
    }
    this.#draw();
  }

  #draw() {
    const focused = document.activeElement?.closest(".record")?.getAttribute("data-name");
    this.#list.replaceChildren(...this.#shown.map((recording) => this.#row(recording)));
    const again = [...this.#list.children].find((row) => row.getAttribute("data-name") === focused);
    if (again) find("a", again).focus();
  }

  /** @param {Recording} recording */
  #row({ name, bytes, seconds, created, recording }) {
    const when = new Date(created * 1000).toLocaleString(language() === "zh" ? "zh-CN" : "en-GB", {
      dateStyle: "medium",
      timeStyle: "short",
    });
    const length = seconds === null ? "" : clock(seconds);
    const fine = recording ? [t("air_recording")] : [length, `${(bytes / 1e6).toFixed(1)} MB`];
    const watch = this.#link(at(name), name, "record-name");
    watch.target = "_blank";
    watch.setAttribute("aria-label", t("record_watch", { name }));
    const row = make("li", "record", watch, make("p", "look-fine", fine.filter(Boolean).join(" · ")));
    row.title = when;
    row.dataset.name = name;
    row.dataset.testid = "recording";
    if (recording) return row;
    const save = this.#link(`${at(name)}?download=1`, t("record_save"), "plain");
    save.setAttribute("aria-label", `${t("record_save")}: ${name}`);
    const remove = twoStep("remove", t("delete_face", { name }), () => this.#remove(name));
    row.append(make("div", "record-buttons", save, remove));
    return row;
  }

  /** @param {string} path @param {string} words @param {string} className */
  #link(path, words, className) {
    const link = /** @type {HTMLAnchorElement} */ (make("a", className, words));
    link.href = tokenUrl(path).href;
    link.rel = "noreferrer";
    return link;
  }

  /** @param {string} name */
  async #remove(name) {
    let why = "";
    try {
      await request("DELETE", at(name));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      why = error.words;
    }
    await this.offer();
    if (why) this.#said.textContent = why;
  }
}
