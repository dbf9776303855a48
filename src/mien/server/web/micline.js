// @ts-check
/** The way of the microphone's sound to the server: WebRTC where it passes, else a WebSocket; kept up. */
import { ApiError } from "./api.js";
import { Backoff } from "./backoff.js";
import { NoMediaPath } from "./peer.js";
import { connectByWhip } from "./whipmic.js";
import { connectBySocket } from "./wsmic.js";

/** How a connection ends: by itself; the session is no more; another microphone speaks for it now. @typedef {"lost" | "gone" | "taken"} End */
/** @typedef {{ended: Promise<End>, replace: (track: MediaStreamTrack) => void, close: () => void}} Connection */
/**
 * @typedef {object} LineEvents
 * @property {(up: boolean) => void} onUp the server hears, or does not any more
 * @property {(failures: number) => void} onFailure an attempt failed
 * @property {() => void} onTaken another microphone speaks for this session now
 * @property {() => void} onGone the session does not exist any more
 * @property {() => boolean} socketOnly whether the page knows that WebRTC does not pass
 */

/** One that stood so long was no failure. */
const STOOD_MS = 3000;

export class MicLine {
  /** @type {AbortController | null} */ #attempt = null;
  /** @type {MediaStreamTrack | null} */ #track = null;
  /** @type {Connection | null} */ #connection = null;
  #noWebRtc = false;
  #backoff = new Backoff(300, 10_000);

  /** @param {LineEvents} events */
  constructor(events) {
    this.events = events;
    // Another network: what did not pass may pass now.
    addEventListener("online", () => (this.#noWebRtc = false));
  }

  /** Whether the server hears. */
  get up() {
    return this.#connection !== null;
  }

  /** Sends until it is stopped. @param {string} session its id @param {MediaStreamTrack} track */
  async run(session, track) {
    this.stop();
    const attempt = (this.#attempt = new AbortController());
    this.#track = track;
    this.#backoff.reset();
    while (attempt === this.#attempt) {
      const end = await this.#once(session, attempt.signal);
      if (attempt !== this.#attempt) return;
      if (end === "gone") return this.events.onGone();
      if (end === "taken") {
        this.stop();
        return this.events.onTaken();
      }
      await this.#backoff.wait();
    }
  }

  /** Another device; the connection stays. @param {MediaStreamTrack} track */
  replace(track) {
    this.#track = track;
    this.#connection?.replace(track);
  }

  stop() {
    this.#attempt?.abort();
    this.#attempt = null;
    this.#connection = null;
  }

  /** One connection, from the attempt to its end. @param {string} session @param {AbortSignal} signal @returns {Promise<End>} */
  async #once(session, signal) {
    const track = /** @type {MediaStreamTrack} */ (this.#track);
    const bySocket = this.#noWebRtc || !("RTCPeerConnection" in window) || this.events.socketOnly();
    try {
      const connection = await (bySocket ? connectBySocket : connectByWhip)(session, track, signal);
      if (signal.aborted) return "lost";
      // Changed while it was coming about.
      if (this.#track && this.#track !== track) connection.replace(this.#track);
      const since = performance.now();
      this.#connection = connection;
      this.events.onUp(true);
      const end = await connection.ended;
      connection.close();
      if (signal.aborted) return "lost";
      this.#connection = null;
      if (performance.now() - since > STOOD_MS) this.#backoff.reset();
      this.events.onUp(false);
      return end;
    } catch (error) {
      if (signal.aborted) return "lost";
      if (error instanceof ApiError && error.status === 404) return "gone";
      // The server without a port or address left is no reason for the other way to fail as well.
      const noPath = error instanceof NoMediaPath || (error instanceof ApiError && error.code === "bad_offer");
      if (noPath && !bySocket) this.#noWebRtc = true;
      else this.events.onFailure(this.#backoff.attempts + 1);
      return "lost";
    }
  }
}
