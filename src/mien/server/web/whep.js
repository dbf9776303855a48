// @ts-check
/** The player: shows one session by WHEP and connects again by itself when the connection is lost. */
import { ApiError, getInfo, request } from "./api.js";
import { Backoff } from "./backoff.js";
import { connected, gathered, NoMediaPath } from "./peer.js";

/** @typedef {import("./peer.js").NoPath} NoPath */

/** "disconnected" often heals on a network change; a new connection costs about as long as this. */
const DISCONNECTED_MS = 2500;
/** Sound flows all the time, silence too. Browsers take 10 s to notice that a server is gone; this is sooner. */
const STALLED_SEC = 4;
/** Passwords for a TURN server expire, after ten minutes at the earliest; pages stay open for days. */
const FRESH_MS = 300_000;

/**
 * @typedef {object} PlayerEvents
 * @property {(stream: MediaStream) => void} onStream picture and sound of a new connection
 * @property {(live: boolean, failures: number) => void} onLive
 * @property {(error: ApiError | null, failures: number, why: NoPath) => void} onFailure an attempt failed; null: no media path
 * @property {() => void} onGone the session does not exist any more
 */

export class WhepPlayer {
  /** @type {RTCPeerConnection | null} */ #peer = null;
  /** @type {string | null} */ #resource = null;
  #generation = 0;
  #backoff = new Backoff();
  /** @type {RTCIceServer[]} */ #iceServers = [];
  #asked = 0;

  /** @param {RTCIceServer[]} iceServers @param {PlayerEvents} events */
  constructor(iceServers, events) {
    this.iceServers = iceServers;
    this.events = events;
  }

  /** As the server has just named them. @param {RTCIceServer[]} servers */
  set iceServers(servers) {
    this.#iceServers = servers;
    this.#asked = performance.now();
  }

  /** @param {string} path of the session's WHEP endpoint */
  async play(path) {
    const generation = ++this.#generation;
    this.#backoff.reset();
    while (generation === this.#generation) {
      this.#release();
      try {
        await this.#connection(path, generation);
        this.#backoff.reset();
      } catch (error) {
        if (generation !== this.#generation) return;
        if (error instanceof ApiError && error.status === 404) return this.events.onGone();
        const why = error instanceof NoMediaPath ? error.why : "failed";
        this.events.onFailure(error instanceof ApiError ? error : null, this.#backoff.attempts + 1, why);
      }
      if (generation !== this.#generation) return;
      await this.#backoff.wait();
    }
  }

  /** Ends the connection and frees its resource on the server. */
  stop() {
    this.#generation++;
    this.#release();
  }

  /** For getStats in diagnostics. */
  get peer() {
    return this.#peer;
  }

  #release() {
    this.#peer?.close();
    this.#peer = null;
    const resource = this.#resource;
    this.#resource = null;
    // keepalive lets the request outlive the page when it is being closed.
    if (resource) request("DELETE", resource, { keepalive: true }).catch(() => {});
  }

  /**
   * One connection: resolves when it was live and got lost, rejects when it never came up.
   * @param {string} path @param {number} generation
   */
  async #connection(path, generation) {
    if (performance.now() - this.#asked > FRESH_MS) this.iceServers = (await getInfo()).ice_servers ?? [];
    if (generation !== this.#generation) return;
    const peer = new RTCPeerConnection({ iceServers: this.#iceServers, bundlePolicy: "max-bundle" });
    this.#peer = peer;
    const stream = new MediaStream();
    // Sound first, as in most offers; some servers rely on it.
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      const { receiver } = preferH264(peer.addTransceiver(kind, { direction: "recvonly" }));
      lowDelay(receiver);
      // One stream for both tracks: the browser plays tracks of one stream in sync.
      stream.addTrack(receiver.track);
    }
    this.events.onStream(stream);
    await peer.setLocalDescription();
    await gathered(peer);
    if (generation !== this.#generation) return peer.close();
    const offer = peer.localDescription?.sdp ?? "";
    // As a browser that may not send UDP: nothing to ask the server for.
    if (!offer.includes("a=candidate")) throw new NoMediaPath("no_candidates");
    const response = await request("POST", path, { body: offer, type: "application/sdp" });
    const resource = response.headers.get("Location");
    if (generation !== this.#generation) {
      if (resource) request("DELETE", resource, { keepalive: true }).catch(() => {});
      return peer.close();
    }
    this.#resource = resource;
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    await connected(peer);
    this.#backoff.reset();
    this.events.onLive(true, 0);
    await lost(peer);
    if (generation === this.#generation) this.events.onLive(false, 0);
  }
}

/** The server encodes H.264 once for everybody; offering it first avoids a mismatch. @param {RTCRtpTransceiver} transceiver */
function preferH264(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  if (transceiver.receiver.track.kind === "video" && codecs && "setCodecPreferences" in transceiver) {
    /** @param {{mimeType: string, sdpFmtpLine?: string}} codec */
    const rank = ({ mimeType, sdpFmtpLine = "" }) => {
      if (mimeType.toLowerCase() !== "video/h264") return 3;
      if (!/packetization-mode=1/.test(sdpFmtpLine)) return 2;
      // Constrained baseline is what the server sends and what every browser decodes.
      return /profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1;
    };
    const sorted = [...codecs].sort((a, b) => rank(a) - rank(b));
    try {
      transceiver.setCodecPreferences(sorted);
    } catch {
      // A browser that dislikes the list keeps its own order.
    }
  }
  return transceiver;
}

/** A conversation wants the least delay; the same for both, or the browser delays one for the other. @param {RTCRtpReceiver} receiver */
function lowDelay(receiver) {
  const any = /** @type {any} */ (receiver);
  if ("jitterBufferTarget" in any) any.jitterBufferTarget = 0;
  else if ("playoutDelayHint" in any) any.playoutDelayHint = 0;
}

/** @param {RTCPeerConnection} peer */
function lost(peer) {
  return new Promise((resolve) => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let received = 0;
    let stalled = 0;
    const watch = setInterval(async () => {
      // Closed by ourselves, which fires no event.
      if (peer.connectionState === "closed") return end();
      const packets = await packetsReceived(peer);
      stalled = packets > received || packets === 0 ? 0 : stalled + 1;
      received = packets;
      if (stalled >= STALLED_SEC) end();
    }, 1000);
    function end() {
      clearInterval(watch);
      clearTimeout(timer);
      peer.removeEventListener("connectionstatechange", check);
      resolve(undefined);
    }
    function check() {
      clearTimeout(timer);
      const state = peer.connectionState;
      if (state === "failed" || state === "closed") end();
      else if (state === "disconnected") timer = setTimeout(end, DISCONNECTED_MS);
    }
    peer.addEventListener("connectionstatechange", check);
    check();
  });
}

/** @param {RTCPeerConnection} peer */
async function packetsReceived(peer) {
  let packets = 0;
  for (const report of (await peer.getStats()).values()) {
    if (report.type === "inbound-rtp") packets += report.packetsReceived ?? 0;
  }
  return packets;
}
