// @ts-check
/** Shows one session through a WebSocket, and connects again by itself when the connection is lost. */
import { tokenUrl } from "./api.js";
import { Backoff } from "./backoff.js";
import { LiveBuffer, playable } from "./livebuffer.js";

/** Picture and sound flow all the time, silence too. */
const FIRST_MS = 8000;
const SILENT_MS = 4000;
/** How often the server is told how much has come. */
const REPORT_MS = 200;
/** The server says so when the session is over. */
const SESSION_ENDED = 4404;

/**
 * @typedef {object} WsEvents
 * @property {() => void} onMedia the element has something new to play
 * @property {(live: boolean) => void} onLive
 * @property {(failures: number) => void} onFailure an attempt failed
 * @property {() => void} onGone the session does not exist any more
 */

export class WsPlayer {
  #generation = 0;
  #backoff = new Backoff();
  /** @type {LiveBuffer | null} */ #buffer = null;
  /** @type {WebSocket | null} */ #socket = null;
  #clock = new ServerClock();
  #bytes = 0;

  /** @param {HTMLVideoElement} video @param {WsEvents} events */
  constructor(video, events) {
    this.video = video;
    this.events = events;
  }

  /** @param {string} path of the session's endpoint */
  async play(path) {
    const generation = ++this.#generation;
    this.#backoff.reset();
    while (generation === this.#generation) {
      this.#release();
      const { live, code } = await this.#connection(path);
      if (generation !== this.#generation) return;
      if (live) {
        this.#backoff.reset();
        this.events.onLive(false);
      }
      if (code === SESSION_ENDED) return this.events.onGone();
      if (!live) this.events.onFailure(this.#backoff.attempts + 1);
      await this.#backoff.wait();
    }
  }

  stop() {
    this.#generation++;
    this.#release();
  }

  /** For the panel. Seconds, bytes; delay: from being made to being shown; NaN until it is known. */
  get figures() {
    const { video } = this;
    return {
      bytes: this.#bytes,
      roundTrip: this.#clock.roundTrip,
      buffer: this.#buffer?.ahead ?? 0,
      delay: this.#clock.now - video.currentTime,
    };
  }

  #release() {
    this.#socket?.close();
    this.#socket = null;
    this.#buffer?.close();
    this.#buffer = null;
  }

  /** One connection, until it ends. @param {string} path @returns {Promise<{live: boolean, code: number}>} */
  #connection(path) {
    const url = tokenUrl(path);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.#socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    this.#clock = new ServerClock();
    let live = false;
    let got = 0;
    let reported = 0;
    let heard = performance.now();
    const isLive = () => {
      if (live || socket !== this.#socket) return;
      live = true;
      this.events.onLive(true);
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let later;
    const report = () => {
      const now = performance.now();
      clearTimeout(later);
      // The last word counts: a server that waits for it sends nothing that could bring it about.
      if (now - reported < REPORT_MS) later = setTimeout(report, REPORT_MS);
      else if (socket.readyState === WebSocket.OPEN) {
        reported = now;
        socket.send(JSON.stringify({ got, sent: now }));
      }
    };
    return new Promise((resolve) => {
      const watch = setInterval(() => {
        if (performance.now() - heard > (got ? SILENT_MS : FIRST_MS)) end(0);
      }, 500);
      /** @param {number} code */
      const end = (code) => {
        clearInterval(watch);
        clearTimeout(later);
        this.video.removeEventListener("canplay", isLive);
        socket.onclose = socket.onmessage = null;
        socket.close();
        resolve({ live, code });
      };
      this.video.addEventListener("canplay", isLive);
      socket.onclose = ({ code }) => end(code);
      socket.onmessage = ({ data }) => {
        heard = performance.now();
        if (data instanceof ArrayBuffer) {
          got++;
          this.#bytes += data.byteLength;
          this.#buffer?.append(data);
          return report();
        }
        const said = JSON.parse(data);
        if (said.type === "start") {
          if (!playable(said.mime)) return end(0);
          this.#buffer?.close();
          this.#buffer = new LiveBuffer(this.video, said.mime, () => end(0));
          this.events.onMedia();
        } else if (said.type === "cut") this.#buffer?.silenceUntil(said.at);
        else if (said.type === "clock") this.#clock.heard(said.sent, said.media);
      };
    });
  }
}

/** What is being made on the server now, by its answers; the quickest of the last ones knows best. */
class ServerClock {
  /** @type {{roundTrip: number, offset: number}[]} */ #answers = [];

  /** @param {number} sent ms @param {number} media seconds */
  heard(sent, media) {
    const now = performance.now();
    const roundTrip = (now - sent) / 1000;
    this.#answers.push({ roundTrip, offset: media + roundTrip / 2 - now / 1000 });
    if (this.#answers.length > 25) this.#answers.shift();
  }

  get roundTrip() {
    return Math.min(...this.#answers.map((answer) => answer.roundTrip), Infinity);
  }

  /** Media time in seconds. */
  get now() {
    const { roundTrip } = this;
    const best = this.#answers.find((answer) => answer.roundTrip === roundTrip);
    return best ? performance.now() / 1000 + best.offset : NaN;
  }
}
