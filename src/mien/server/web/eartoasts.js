// @ts-check
/** What the visitor is told about being heard, over the composer. */
import { localised, t } from "./i18n.js";
import { dismiss, toast } from "./toasts.js";

/** What no longer holds when the microphone is turned on again. */
const TROUBLES = ["mic_denied", "mic_insecure", "mic_missing", "mic_in_use", "mic_dismissed", "mic_unplugged", "mic_taken", "mic_line", "speech", "ears_nobody"];

export function forgetTroubles() {
  for (const code of TROUBLES) dismiss(code);
}

/** Why the microphone is off. @param {string} key of the words @param {Record<string, string>} [values] */
export function tellTrouble(key, values = {}) {
  const local = `http://localhost:${location.port || 80}`;
  // One code for all browsers, whose words differ.
  const code = key.replace(/^(mic_denied)_.*/, "$1");
  toast(t(key, { local, ...values }), { code, kind: key === "mic_taken" ? "notice" : "error" });
}

/** The server is not reached; a single failure is common while a network changes. @param {number} failures */
export function tellDelay(failures) {
  if (failures > 1) toast(t("mic_line"), { code: "mic_line" });
}

/** The browser's recogniser cannot; another one may. @param {string} key */
export function tellSpeech(key) {
  toast(t(key), { code: "speech", kind: "notice" });
}

/** Another one listens than before; the reason may be told already. @param {import("./serverears.js").EarsState} state */
export function tellListener({ label, why }) {
  const told = Boolean(document.querySelector(".toast[data-code=speech]"));
  toast(t("ears_changed", { label: localised(label), why: told ? "" : localised(why) }), { code: "ears", kind: "notice" });
}
