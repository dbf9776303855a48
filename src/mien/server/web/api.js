// @ts-check
/** The server's HTTP API, as functions; every failure becomes an ApiError with words for people. */
import { localised, t } from "./i18n.js";
import { recallInTab, rememberInTab } from "./memory.js";

/** @typedef {import("./i18n.js").Text} Text */
/** @typedef {{name: string, ready?: boolean, why_not?: Text | null, label?: Text}} Named */
/** @typedef {Named & {own: boolean, own_background: boolean, preview: string}} Face */
/** @typedef {{name: string, label: Text, colour: string | null, preview: string | null, own: boolean}} Backdrop */
/** @typedef {{name: string, label: Text, about: Text, avatar: string | null, why_not: Text | null}} ListedPersona */
/** @typedef {import("./look.js").Look} Look */
/**
 * @typedef {object} Info
 * @property {string} version
 * @property {number} max_text
 * @property {number} max_clip_bytes
 * @property {RTCIceServer[]} ice_servers
 * @property {Face[]} avatars
 * @property {string[]} profiles
 */
/** @typedef {{id: string, whep: string, ws: string, events: string}} Session */

const TOKEN = "mien.token";
/** Relative to the page, so that a reverse proxy may serve it below a path. */
const base = new URL("./", document.baseURI);

export class ApiError extends Error {
  /**
   * @param {number} status HTTP status; 0 when no answer came
   * @param {string} code
   * @param {Text} text in the visitor's languages
   * @param {boolean} retryable
   */
  constructor(status, code, text, retryable) {
    super(code);
    this.status = status;
    this.code = code;
    this.text = text;
    this.retryable = retryable;
  }

  /** What to show the visitor. */
  get words() {
    return localised(this.text);
  }
}

/** Takes ?token= out of the address bar, where it would be shared or shown on a screen. */
export function keepToken() {
  const here = new URL(location.href);
  const token = here.searchParams.get("token");
  if (!token) return;
  rememberInTab(TOKEN, token);
  here.searchParams.delete("token");
  history.replaceState(history.state, "", here);
}

/** @param {string} path */
export const urlOf = (path) => new URL(path.replace(/^\//, ""), base);

/** EventSource and pictures cannot send headers, so they carry the token in their address. @param {string} path */
export function tokenUrl(path) {
  const url = urlOf(path);
  const token = recallInTab(TOKEN);
  if (token) url.searchParams.set("token", token);
  return url;
}

/** The header that carries the token, if there is one. @returns {Record<string, string>} */
export function authorization() {
  const token = recallInTab(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, body?: string | Blob, type?: string, keepalive?: boolean, timeoutMs?: number, signal?: AbortSignal, headers?: Record<string, string>}} [options]
 * @returns {Promise<Response>}
 */
export async function request(method, path, options = {}) {
  const { json, keepalive = false, timeoutMs = 15_000 } = options;
  const headers = new Headers({ ...authorization(), ...options.headers });
  const body = json === undefined ? options.body : JSON.stringify(json);
  if (body !== undefined) headers.set("Content-Type", options.type ?? "application/json");
  let response;
  try {
    response = await fetch(urlOf(path), {
      method,
      headers,
      body,
      keepalive,
      cache: "no-store",
      signal: options.signal ?? (keepalive ? undefined : AbortSignal.timeout(timeoutMs)),
    });
  } catch {
    throw new ApiError(0, "network", t("error_network"), true);
  }
  if (!response.ok) throw failed(response.status, await response.text().catch(() => ""));
  return response;
}

/** An answer that is a refusal. @param {number} status @param {string} body */
export function failed(status, body) {
  const said = refusalIn(body);
  if (said?.message) return new ApiError(status, said.code ?? "", said.message, said.retryable ?? status >= 500);
  if (status === 401 || status === 403) return new ApiError(status, "token", t("error_token"), false);
  return new ApiError(status, "http", t("error_generic", { status }), status >= 500);
}

/** @param {string} body */
function refusalIn(body) {
  try {
    return JSON.parse(body)?.error;
  } catch {
    return null; // not the server's own words
  }
}

/** @param {string} id @param {string} [rest] */
const at = (id, rest = "") => `/api/v1/sessions/${encodeURIComponent(id)}${rest}`;

/** @returns {Promise<Info>} */
export const getInfo = async () => (await request("GET", "/api/v1/info")).json();

/** A filmed face may have to be loaded first. @param {{language: string, voice?: string, persona?: string} & Partial<Look>} wanted @returns {Promise<Session>} */
export const createSession = async (wanted) =>
  (await request("POST", "/api/v1/sessions", { json: wanted, timeoutMs: 60_000 })).json();

/** The session if it still lives, else null. @param {string} id @returns {Promise<Session | null>} */
export async function findSession(id) {
  try {
    await request("GET", at(id));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
  const name = encodeURIComponent(id);
  return { id, whep: `/whep/${name}`, ws: `/ws/${name}`, events: at(id, "/events") };
}

/** @param {string} id */
export const endSession = (id) => request("DELETE", at(id));

/** @param {string} id @param {string} text @returns {Promise<{turn: number | string}>} */
export const chat = async (id, text) => (await request("POST", at(id, "/chat"), { json: { text } })).json();

/** @param {string} id */
export const interrupt = (id) => request("POST", at(id, "/interrupt"));

/** @param {string} id @param {"listening" | "idle"} activity */
export const setActivity = (id, activity) => request("POST", at(id, "/activity"), { json: { activity } });

/** @param {string} id @param {number | string} turn @param {number} ms */
export const reportHeard = (id, turn, ms) =>
  request("POST", at(id, `/turns/${encodeURIComponent(turn)}/heard`), { json: { ms } });

/** Loading another face takes a second or two, a clip's first time some more. @param {string} id @param {Partial<Look>} change @returns {Promise<Look>} */
export const changeLook = async (id, change) => (await request("PATCH", at(id), { json: change, timeoutMs: 180_000 })).json();

/** @returns {Promise<Face[]>} */
export const getAvatars = async () => (await request("GET", "/api/v1/avatars")).json();

/** A large voice may have to be loaded first. @param {string} id @param {string} name @returns {Promise<{voice: {name: string, wanted: string}}>} */
export const changeVoice = async (id, name) =>
  (await request("PUT", at(id, "/voice"), { json: { name, sample: true }, timeoutMs: 240_000 })).json();

/** Those that can be chosen; a server that does not answer is waited for 3 s. @returns {Promise<Named[]>} */
export const getVoices = async () => (await request("GET", "/api/v1/voices")).json();

/** @returns {Promise<ListedPersona[]>} */
export const getPersonas = async () => (await request("GET", "/api/v1/personas")).json();

/** It may bring along a face and a voice that have to be loaded first. @param {string} id @param {string} persona */
export const changePersona = async (id, persona) =>
  (await request("PATCH", at(id, "/persona"), { json: { persona }, timeoutMs: 240_000 })).json();

/** @returns {Promise<Backdrop[]>} */
export const getBackgrounds = async () => (await request("GET", "/api/v1/backgrounds")).json();

/** @param {File} file @returns {Promise<Backdrop>} */
export const addBackground = async (file) =>
  (await request("POST", "/api/v1/backgrounds", { body: file, type: file.type, timeoutMs: 60_000 })).json();

/** @param {string} name */
export const removeBackground = (name) => request("DELETE", `/api/v1/backgrounds/${encodeURIComponent(name)}`);

/** @param {string} name */
export const removeAvatar = (name) => request("DELETE", `/api/v1/avatars/${encodeURIComponent(name)}`);

/** @returns {Promise<{recognizers: import("./earspanel.js").Listed[], modes: unknown[]}>} */
export const getEars = async () => (await request("GET", "/api/v1/ears")).json();

/** A large model may have to be loaded first. @param {string} id @param {import("./serverears.js").EarsChange} change @returns {Promise<import("./serverears.js").EarsState>} */
export const changeEars = async (id, change) =>
  (await request("PATCH", at(id, "/ears"), { json: change, timeoutMs: 180_000 })).json();

/** What the browser's own recogniser understood. @param {string} id @param {string} text @param {boolean} final */
export const sendWords = (id, text, final) => request("POST", at(id, "/words"), { json: { text, final } });

/** @returns {Promise<import("./models.js").Model[]>} */
export const getModels = async () => (await request("GET", "/api/v1/models")).json();

/** @param {string} name @param {string} [rest] */
const modelAt = (name, rest = "") => `/api/v1/models/${encodeURIComponent(name)}${rest}`;

/** @param {string} name @param {boolean} acceptLicence @returns {Promise<import("./models.js").Pull>} */
export const startPull = async (name, acceptLicence) =>
  (await request("POST", modelAt(name, "/pull"), { json: { accept_licence: acceptLicence } })).json();

/** @param {string} name @returns {Promise<import("./models.js").Pull>} */
export const pullState = async (name) => (await request("GET", modelAt(name, "/pull"))).json();

/** @param {string} name */
export const cancelPull = (name) => request("DELETE", modelAt(name, "/pull"));

/** @param {string} name */
export const removeModel = (name) => request("DELETE", modelAt(name));
