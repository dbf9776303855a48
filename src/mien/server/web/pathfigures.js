// @ts-check
/** What can be measured of the way picture and sound come, as numbers. */

/**
 * Seconds, bits per second, packets since the beginning, pixels, frames per second; what is not
 * known is left out. relay: how the browser reaches a TURN server in between, "" if it does not.
 * @typedef {object} Figures
 * @property {string} relay
 * @property {number} [roundTrip]
 * @property {number} [delay] from being made on the server to being shown
 * @property {number} [buffer] what has come and is not shown yet
 * @property {number} [bitrate]
 * @property {number} [lost]
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [fps]
 */

/** Rates need two looks: this remembers the last. */
export class Meter {
  /** @type {Map<string, {value: number, at: number}>} */ #last = new Map();

  /** @param {import("./player.js").Player} player @returns {Promise<Figures | null>} */
  async read(player) {
    const { path } = player.state;
    if (!path) return null;
    const peer = player.webrtc.peer;
    return path === "webrtc" ? peer && this.#ofPeer(peer) : this.#ofSocket(player);
  }

  /** @param {RTCPeerConnection} peer @returns {Promise<Figures>} */
  async #ofPeer(peer) {
    const stats = await peer.getStats();
    /** @type {any[]} */
    const reports = [...stats.values()];
    const transport = reports.find(({ type }) => type === "transport");
    const pair =
      stats.get(transport?.selectedCandidatePairId) ??
      reports.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
    const inbound = reports.filter(({ type }) => type === "inbound-rtp");
    const video = inbound.find(({ kind }) => kind === "video") ?? {};
    const waited = this.#rate("waited", video.jitterBufferDelay);
    const shown = this.#rate("emitted", video.jitterBufferEmittedCount);
    return {
      relay: relayOf(stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)),
      roundTrip: pair?.currentRoundTripTime,
      buffer: waited !== undefined && shown ? waited / shown : undefined,
      bitrate: bits(this.#rate("bytes", sum(inbound, "bytesReceived"))),
      lost: sum(inbound, "packetsLost"),
      width: video.frameWidth,
      height: video.frameHeight,
      fps: this.#rate("frames", video.framesDecoded),
    };
  }

  /** @param {import("./player.js").Player} player @returns {Figures} */
  #ofSocket({ ws }) {
    const { bytes, roundTrip, buffer, delay } = ws.figures;
    const { video } = ws;
    return {
      relay: "",
      roundTrip: Number.isFinite(roundTrip) ? roundTrip : undefined,
      delay: Number.isFinite(delay) ? delay : undefined,
      buffer,
      bitrate: bits(this.#rate("bytes", bytes)),
      width: video.videoWidth,
      height: video.videoHeight,
      fps: this.#rate("frames", video.getVideoPlaybackQuality?.().totalVideoFrames),
    };
  }

  /** Per second since the last look. @param {string} name @param {number | undefined} value */
  #rate(name, value) {
    if (value === undefined) return undefined;
    const at = performance.now();
    const last = this.#last.get(name);
    this.#last.set(name, { value, at });
    // A new connection counts from nothing.
    if (!last || value < last.value || at - last.at < 200) return undefined;
    return (1000 * (value - last.value)) / (at - last.at);
  }
}

/** @param {number | undefined} bytes */
const bits = (bytes) => (bytes === undefined ? undefined : 8 * bytes);

/** @param {any[]} reports @param {string} name */
const sum = (reports, name) => reports.reduce((total, report) => total + (report[name] ?? 0), 0);

/** @param {any} local @param {any} remote candidates of the pair in use */
function relayOf(local, remote) {
  if (local?.candidateType === "relay") return String(local.relayProtocol ?? "udp").toUpperCase();
  // The relay is the server's: this browser sends to it as to anybody.
  return remote?.candidateType === "relay" ? "UDP" : "";
}
