// @ts-check
/** How this visitor wants to be heard: remembered, and used again with the next session. */
import { recall, recallInTab, remember, rememberInTab } from "./memory.js";
import { speechObstacle } from "./webspeech.js";

/** @typedef {import("./serverears.js").Mode} Mode */

const MODE = "mien.ears.mode";
const ENGINE = "mien.ears.engine";
/** Why this browser's recogniser was of no use, in this tab. */
const CANNOT = "mien.ears.cannot";
/** @type {Mode[]} */
const MODES = ["hands_free", "push_to_talk", "wake_word"];

export class EarChoice {
  /** @returns {Mode} */
  get mode() {
    return MODES.find((mode) => mode === recall(MODE)) ?? "hands_free";
  }

  set mode(mode) {
    remember(MODE, mode);
  }

  /** "auto", or the name of a recogniser. */
  get engine() {
    return recall(ENGINE) ?? "auto";
  }

  set engine(engine) {
    remember(ENGINE, engine);
    // Chosen by hand: it may be able to by now.
    if (engine === "browser") rememberInTab(CANNOT, null);
  }

  /** Whether this browser has a recogniser of its own, as far as is known. */
  get browser() {
    return speechObstacle() === null && recallInTab(CANNOT) === null;
  }

  /** @param {string} why */
  browserCannot(why) {
    rememberInTab(CANNOT, why);
  }
}
