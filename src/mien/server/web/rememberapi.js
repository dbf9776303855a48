// @ts-check
/** The API of what is remembered; every request carries the visitor's key. */
import { request } from "./api.js";
import { userHeader } from "./userkey.js";

/** said: the words it was taken from. @typedef {{id: number, text: string, said: string}} Fact */

const PLACE = "/api/v1/memory";

/** @param {string} id of the session @param {boolean} on @returns {Promise<import("./remembering.js").Memory>} */
export const setMemory = async (id, on) => {
  const path = `/api/v1/sessions/${encodeURIComponent(id)}/memory`;
  return (await request("PUT", path, { json: { on }, headers: userHeader() })).json();
};

/** The newest first. @returns {Promise<Fact[]>} */
export const getFacts = async () => (await (await request("GET", `${PLACE}/facts`, { headers: userHeader() })).json()).facts;

/** @param {number} id */
export const forgetFact = (id) => request("DELETE", `${PLACE}/facts/${encodeURIComponent(id)}`, { headers: userHeader() });

/** Afterwards nothing is left of it on the server's disk, which may take a moment. */
export const eraseMemory = () => request("DELETE", PLACE, { headers: userHeader(), timeoutMs: 60_000 });

/** As a file. A plain link would have to carry the key in its address. */
export async function download() {
  const everything = await request("GET", PLACE, { headers: userHeader(), timeoutMs: 60_000 });
  const url = URL.createObjectURL(await everything.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = "mien-memory.json";
  link.click();
  // Browsers read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
