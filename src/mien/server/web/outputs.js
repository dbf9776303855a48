// @ts-check
/** A session's outputs over HTTP. */
import { request } from "./api.js";

/** @typedef {import("./i18n.js").Text} Text */
/**
 * @typedef {object} Output
 * @property {string} id
 * @property {string} kind "rtmp", "whip", "mp4", "webm", "camera"
 * @property {string} label
 * @property {string} profile
 * @property {"connecting" | "live" | "waiting" | "paused" | "failed" | "ended"} state
 * @property {number} seconds since the state began
 * @property {number} [retry_in] seconds
 * @property {number} reconnects
 * @property {boolean} can_pause
 * @property {{code: string, message: Text}} [reason]
 * @property {{bytes: number} & Record<string, number | string>} figures
 */
/** @typedef {{url: string, key?: string, token?: string, profile?: string}} Target */

/** @param {string} session @param {string} [rest] */
const at = (session, rest = "") => `/api/v1/sessions/${encodeURIComponent(session)}/outputs${rest}`;
/** @param {string} session @param {string} id @param {string} [rest] */
const one = (session, id, rest = "") => at(session, `/${encodeURIComponent(id)}${rest}`);

/** @param {string} session @returns {Promise<Output[]>} */
export const listOutputs = async (session) => (await request("GET", at(session))).json();

/** @param {string} session @param {Target} target @returns {Promise<Output>} */
export const addOutput = async (session, target) => (await request("POST", at(session), { json: target })).json();

/** @param {string} session @param {string} id */
export const stopOutput = (session, id) => request("DELETE", one(session, id));

/** @param {string} session @param {string} id */
export const retryOutput = (session, id) => request("POST", one(session, id, "/retry"));

/** @param {string} session @param {string} id @param {boolean} paused @returns {Promise<Output>} */
export const pauseOutput = async (session, id, paused) =>
  (await request("PATCH", one(session, id), { json: { paused } })).json();
