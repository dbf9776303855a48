// @ts-check
/** Which way picture and sound come: WebRTC where UDP passes, else a WebSocket; the better one when it can. */
import { forcedPath } from "./pathchoice.js";
import { recallInTab, rememberInTab } from "./memory.js";
import { WhepPlayer } from "./whep.js";
import { WsPlayer } from "./wsplayer.js";

/** WebRTC connects in less than a second where it connects; a visitor does not wait much longer for a picture. */
const HEAD_START_MS = 2500;
/** After a connection that stood: whether it returns shows sooner. */
const RETURN_MS = 1000;
/** While the WebSocket shows the picture, WebRTC is tried now and then: a visitor may change networks. */
const AGAIN_MS = [60_000, 180_000, 600_000];
/** The change of paths waits for a pause in the speech, but not for ever. */
const PAUSE_MS = 8000;
const KEY = "mien.path";

/** @typedef {import("./api.js").ApiError} ApiError */
/** @typedef {"webrtc" | "ws"} Path */
/**
 * Why it is not WebRTC: none in this browser; asked for in the address; the browser has no
 * candidates; the server has none; no pair of them works; it takes too long; it was so before; it
 * stood and was lost.
 * @typedef {"none" | "forced" | "no_candidates" | "refused" | "failed" | "slow" | "before" | "lost"} Why
 */
/**
 * @typedef {object} PlayerEvents
 * @property {(video: HTMLVideoElement) => void} onMedia an element has something new to play
 * @property {(video: HTMLVideoElement) => void} onFront this element is the one to be seen and heard
 * @property {(live: boolean) => void} onLive
 * @property {(error: ApiError | null, failures: number) => void} onFailure an attempt failed; null: no media path
 * @property {() => void} onGone the session does not exist any more
 * @property {() => boolean} isQuiet whether nobody is heard speaking
 */

export class Player {
  /** @type {{whep: string, ws: string} | null} */ #session = null;
  /** @type {Path | null} */ #front = null;
  /** @type {Record<Path, boolean>} */ #live = { webrtc: false, ws: false };
  /** @type {Why | null} */ #why = null;
  #retries = 0;
  #failed = false;
  #playingWs = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #fallback;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #again;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #change;

  /** @param {Record<Path, HTMLVideoElement>} videos @param {PlayerEvents} events */
  constructor(videos, events) {
    this.videos = videos;
    this.events = events;
    this.webrtc = new WhepPlayer([], {
      onStream: (stream) => {
        videos.webrtc.srcObject = stream;
        events.onMedia(videos.webrtc);
      },
      onLive: (live) => this.#onWebRtc(live),
      onFailure: (error, failures, why) => this.#onWebRtcFailure(error, failures, why),
      onGone: () => events.onGone(),
    });
    this.ws = new WsPlayer(videos.ws, {
      onMedia: () => events.onMedia(videos.ws),
      onLive: (live) => this.#onWs(live),
      onFailure: (failures) => !this.#live.webrtc && events.onFailure(null, failures),
      onGone: () => events.onGone(),
    });
    // Another network: what did not pass may pass now.
    addEventListener("online", () => this.#tryAgain());
    /** @type {any} */ (navigator).connection?.addEventListener?.("change", () => this.#tryAgain());
  }

  /** @param {RTCIceServer[]} servers */
  set iceServers(servers) {
    this.webrtc.iceServers = servers;
  }

  /** The way that is seen and heard now, and why it is not WebRTC. @returns {{path: Path | null, why: Why | null}} */
  get state() {
    return { path: this.#front, why: this.#front === "ws" ? this.#why : null };
  }

  /** @param {{whep: string, ws: string}} session */
  play(session) {
    this.stop();
    this.#session = session;
    const forced = forcedPath();
    const none = !("RTCPeerConnection" in window);
    if (forced === "ws" || none) return this.#fallBack(none ? "none" : "forced");
    this.webrtc.play(session.whep);
    if (forced === "webrtc") return;
    if (recallInTab(KEY) === "ws") this.#fallBack("before");
    else this.#fallback = setTimeout(() => this.#fallBack("slow"), HEAD_START_MS);
  }

  stop() {
    for (const timer of [this.#fallback, this.#again, this.#change]) clearTimeout(timer);
    this.#again = undefined;
    this.#session = null;
    this.#front = null;
    this.#playingWs = false;
    this.#live = { webrtc: false, ws: false };
    this.#retries = 0;
    this.#failed = false;
    this.webrtc.stop();
    this.ws.stop();
  }

  /** @param {Why} why */
  #fallBack(why) {
    clearTimeout(this.#fallback);
    this.#why = why;
    if (this.#playingWs || !this.#session || forcedPath() === "webrtc") return;
    this.#playingWs = true;
    this.ws.play(this.#session.ws);
  }

  /** @param {boolean} live */
  #onWebRtc(live) {
    this.#live.webrtc = live;
    if (!live) {
      clearTimeout(this.#change);
      this.#fallback = setTimeout(() => this.#fallBack("lost"), RETURN_MS);
      if (this.#front === "webrtc") this.#lost();
      return;
    }
    clearTimeout(this.#fallback);
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#retries = 0;
    this.#failed = false;
    rememberInTab(KEY, null);
    if (this.#live.ws) this.#changeInAPause();
    else this.#show("webrtc");
  }

  /** @param {ApiError | null} error @param {number} failures @param {"no_candidates" | "failed" | "slow"} why */
  #onWebRtcFailure(error, failures, why) {
    // It has no UDP port or address left: that is no reason for the other way to fail as well.
    const refused = error?.code === "bad_offer";
    if (error && !refused) return this.#live.ws || this.events.onFailure(error, failures);
    this.#failed = true;
    if (forcedPath() === "webrtc") return this.events.onFailure(error, failures);
    this.#fallBack(refused ? "refused" : why);
    if (this.#live.ws) this.#settle();
  }

  /** @param {boolean} live */
  #onWs(live) {
    this.#live.ws = live;
    if (!live) {
      if (this.#front === "ws") this.#lost();
      if (this.#session && this.#live.webrtc) this.#show("webrtc");
      this.#tryAgain();
      return;
    }
    if (this.#live.webrtc) return;
    this.#show("ws");
    if (this.#failed) this.#settle();
  }

  /** UDP does not pass: live with it, and look again later. */
  #settle() {
    rememberInTab(KEY, "ws");
    this.webrtc.stop();
    clearTimeout(this.#again);
    const wait = AGAIN_MS[Math.min(this.#retries++, AGAIN_MS.length - 1)];
    this.#again = setTimeout(() => this.#tryAgain(), wait);
  }

  #tryAgain() {
    if (!this.#session || !this.#again) return;
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#failed = false;
    this.webrtc.play(this.#session.whep);
  }

  /** Sound of the two ways is not at the same moment, so the change is made while there is none. */
  #changeInAPause(waited = 0) {
    clearTimeout(this.#change);
    // Before the first picture Chromium shows one of 2×2 pixels.
    const shown = this.videos.webrtc.videoWidth > 2;
    if (shown && (this.events.isQuiet() || waited >= PAUSE_MS)) this.#show("webrtc");
    else this.#change = setTimeout(() => this.#changeInAPause(waited + 100), 100);
  }

  /** @param {Path} path */
  #show(path) {
    this.#front = path;
    this.events.onFront(this.videos[path]);
    this.events.onLive(true);
    if (path === "webrtc") {
      this.#playingWs = false;
      this.#live.ws = false;
      this.ws.stop();
    }
  }

  #lost() {
    const other = this.#front === "webrtc" ? "ws" : "webrtc";
    if (this.#live[other]) return;
    this.#front = null;
    this.events.onLive(false);
  }
}
