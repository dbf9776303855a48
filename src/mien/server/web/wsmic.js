// @ts-check
/** The microphone's sound to the server through a WebSocket: where nothing but HTTP(S) passes. */
import { tokenUrl, urlOf } from "./api.js";

/** What recognisers want; less to send, too. */
const RATE = 16_000;
/** The most that the server takes. */
const MOST_RATE = 48_000;
/** Sound that waits so long for the network comes too late for a conversation. */
const BEHIND_SEC = 1;
const STALLED_MS = 4000;

/** @typedef {import("./micline.js").Connection} Connection */
/** @typedef {import("./micline.js").End} End */

/** The server's own close codes: see docs/api.md. @type {Record<number, End>} */
const ENDS = { 4404: "gone", 4409: "taken" };

/**
 * @param {string} session its id
 * @param {MediaStreamTrack} track
 * @param {AbortSignal} signal ends the attempt, and the connection
 * @returns {Promise<Connection>}
 */
export async function connectBySocket(session, track, signal) {
  const { context, input } = listenTo(track);
  const step = Math.ceil(context.sampleRate / MOST_RATE);
  const rate = Math.round(context.sampleRate / step);
  const url = tokenUrl(`/ws/${encodeURIComponent(session)}/microphone`);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("rate", String(rate));
  /** @type {WebSocket | null} */
  let socket = null;
  const close = () => {
    signal.removeEventListener("abort", close);
    socket?.close();
    context.close().catch(() => {});
  };
  signal.addEventListener("abort", close);
  try {
    await context.audioWorklet.addModule(String(urlOf("static/micworklet.js")));
    signal.throwIfAborted();
    const node = new AudioWorkletNode(context, "microphone", { channelCount: 1, channelCountMode: "explicit", processorOptions: { step } });
    input.connect(node);
    // What is connected to nothing is not computed; this one gives silence.
    node.connect(context.destination);
    await context.resume();
    const opened = (socket = new WebSocket(url));
    opened.binaryType = "arraybuffer";
    const ended = endOf(opened);
    await Promise.race([new Promise((resolve) => (opened.onopen = resolve)), ended]);
    signal.throwIfAborted();
    if (opened.readyState !== WebSocket.OPEN) throw new Error("the server did not take it");
    let source = input;
    let stalled = 0;
    node.port.onmessage = ({ data }) => {
      if (opened.readyState !== WebSocket.OPEN) return;
      const now = performance.now();
      const behind = opened.bufferedAmount > BEHIND_SEC * rate * 2;
      if (!behind) stalled = now;
      else if (now - stalled > STALLED_MS) opened.close();
      if (!behind) opened.send(data);
    };
    return {
      ended,
      replace(other) {
        source.disconnect();
        source = context.createMediaStreamSource(new MediaStream([other]));
        source.connect(node);
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** @param {MediaStreamTrack} track */
function listenTo(track) {
  const stream = new MediaStream([track]);
  const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  try {
    return { context, input: context.createMediaStreamSource(stream) };
  } catch {
    // Firefox does not change the rate of a microphone.
    context.close().catch(() => {});
    const own = new AudioContext({ latencyHint: "interactive" });
    return { context: own, input: own.createMediaStreamSource(stream) };
  }
}

/** @param {WebSocket} socket @returns {Promise<End>} */
function endOf(socket) {
  return new Promise((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(ENDS[code] ?? "lost"));
  });
}
