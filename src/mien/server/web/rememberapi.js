// @ts-check
/** The API of what is remembered; every request carries the visitor's key. */
import { request } from "./api.js";
import { userHeader } from "./userkey.js";

/** @typedef {{id: number, text: string}} Fact */

const PLACE = "/api/v1/memory";

/** @param {string} id of the session @param {boolean} on @returns {Promise<import("./remembering.js").Memory>} */
export const setMemory = async (id, on) => {
  const path = `/api/v1/sessions/${encodeURIComponent(id)}/memory`;
  return (await request("PUT", path, { json: { on }, headers: userHeader() })).json();
};

const all = () => request("GET", PLACE, { headers: userHeader(), timeoutMs: 60_000 });

/** @returns {Promise<Fact[]>} */
export const getFacts = async () => (await (await all()).json()).facts ?? [];

/** @param {number} id */
export const forgetFact = (id) => request("DELETE", `${PLACE}/facts/${encodeURIComponent(id)}`, { headers: userHeader() });

/** Afterwards nothing is left of it on the server's disk, which may take a moment. */
export const eraseMemory = () => request("DELETE", PLACE, { headers: userHeader(), timeoutMs: 60_000 });

/** As a file. A plain link would have to carry the key in its address. */
export async function download() {
  const url = URL.createObjectURL(await (await all()).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = "mien-memory.json";
  link.click();
  // Browsers read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
