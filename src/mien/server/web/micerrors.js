// @ts-check
/** Why there is no microphone, as a key of words.js that says what to do about it in this browser. */

/** What stands in the way before anybody is asked, or null. */
export function obstacle() {
  if (!window.isSecureContext) return "mic_insecure";
  if (!navigator.mediaDevices?.getUserMedia) return "mic_unsupported";
  if (!allowed()) return "mic_policy";
  return null;
}

/** What a rejection by getUserMedia means. @param {unknown} error */
export async function reason(error) {
  const { name = "", message = "" } = /** @type {DOMException} */ (error);
  if (name === "NotFoundError" || name === "OverconstrainedError") return "mic_missing";
  if (name === "NotReadableError" || name === "AbortError") return "mic_in_use";
  if (name === "SecurityError") return "mic_policy";
  if (name !== "NotAllowedError") return "mic_failed";
  if (!allowed()) return "mic_policy";
  if (/by system/i.test(message)) return "mic_denied_system";
  // Closed without an answer: asking again will ask again.
  if (/dismissed/i.test(message) || (await permission()) === "prompt") return "mic_dismissed";
  return deniedIn(navigator.userAgent, navigator.maxTouchPoints);
}

/** Where each browser keeps the switch. @param {string} agent @param {number} touchPoints */
export function deniedIn(agent, touchPoints) {
  // iPads call themselves Macs; no Mac has a touch screen.
  if (/iphone|ipad|ipod/i.test(agent) || (/macintosh/i.test(agent) && touchPoints > 1)) return "mic_denied_ios";
  if (/micromessenger/i.test(agent)) return "mic_denied_wechat";
  if (/firefox/i.test(agent)) return "mic_denied_firefox";
  if (/android/i.test(agent)) return "mic_denied_android";
  if (/safari/i.test(agent) && !/chrom/i.test(agent)) return "mic_denied_safari";
  return "mic_denied_chrome";
}

/** A page in a frame, or behind a proxy that adds headers, may not be allowed to ask. */
function allowed() {
  const policy = /** @type {any} */ (document).featurePolicy ?? /** @type {any} */ (document).permissionsPolicy;
  return policy?.allowsFeature?.("microphone") ?? true;
}

/** @returns {Promise<string>} "granted", "denied", "prompt"; "" where the browser does not tell */
async function permission() {
  try {
    return (await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") })).state;
  } catch {
    return "";
  }
}
