// @ts-check
/** What the address of the stage page asks for: /stage/SESSION?background=…&mute=…&captions=…&fit=… */

const FITS = ["contain", "cover", "fill"];
const OF_A_NEW_SESSION = ["language", "avatar", "voice"];

/**
 * @typedef {object} Options
 * @property {string} session an id, "live", or "new" for one of the page's own
 * @property {boolean} transparent the presenter alone; else before the session's background
 * @property {boolean} muted
 * @property {boolean} captions
 * @property {string} fit as CSS object-fit
 * @property {Record<string, string>} wanted what a new session is to be like
 */

/** @param {Location | URL} address @returns {Options} */
export function optionsIn({ pathname, search }) {
  const query = new URLSearchParams(search);
  /** @param {string} name */
  const on = (name) => query.has(name) && !["0", "false", "no"].includes(query.get(name) ?? "");
  const fit = query.get("fit") ?? "";
  const wanted = [...query].filter(([name, value]) => value && OF_A_NEW_SESSION.includes(name));
  return {
    session: decodeURIComponent(pathname.split("/").filter(Boolean).at(-1) ?? ""),
    transparent: query.get("background") !== "session",
    muted: on("mute"),
    captions: on("captions"),
    fit: FITS.includes(fit) ? fit : "contain",
    wanted: Object.fromEntries(wanted),
  };
}
