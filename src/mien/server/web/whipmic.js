// @ts-check
/** The microphone's sound to the server by WHIP (RFC 9725): a connection of its own, one offer, one answer. */
import { changeEars, getInfo, request } from "./api.js";
import { connected, gathered, NoMediaPath } from "./peer.js";

/** "disconnected" often heals when a network changes. */
const DISCONNECTED_MS = 2500;

/** @typedef {import("./micline.js").Connection} Connection */

/**
 * @param {string} session its id
 * @param {MediaStreamTrack} track
 * @param {AbortSignal} signal ends the attempt, and the connection
 * @returns {Promise<Connection>} rejects with ApiError, or NoMediaPath where UDP does not pass
 */
export async function connectByWhip(session, track, signal) {
  // Asked each time: passwords for a TURN server expire.
  const iceServers = (await getInfo()).ice_servers ?? [];
  const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
  let resource = /** @type {string | null} */ (null);
  const close = async () => {
    signal.removeEventListener("abort", close);
    peer.close();
    const left = resource;
    resource = null;
    // keepalive lets the request outlive the page when it is being closed.
    if (left) await request("DELETE", left, { keepalive: true }).catch(() => {});
  };
  /** @returns {Promise<"lost" | "taken">} */
  const why = async () => {
    await close();
    // A connection has no words for its end; if another microphone is there, that was it.
    const { microphone } = await changeEars(session, {});
    return microphone ? "taken" : "lost";
  };
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    const { sender } = peer.addTransceiver(track, { direction: "sendonly" });
    await peer.setLocalDescription();
    await gathered(peer);
    signal.throwIfAborted();
    const offer = peer.localDescription?.sdp ?? "";
    if (!offer.includes("a=candidate")) throw new NoMediaPath("no_candidates");
    const path = `/whip/${encodeURIComponent(session)}`;
    const response = await request("POST", path, { body: offer, type: "application/sdp" });
    resource = response.headers.get("Location");
    if (signal.aborted) close();
    signal.throwIfAborted();
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    await connected(peer);
    return {
      ended: ended(peer).then(why).catch(() => "lost"),
      replace: (other) => sender.replaceTrack(other),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** @param {RTCPeerConnection} peer @returns {Promise<void>} */
function ended(peer) {
  return new Promise((resolve) => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const check = () => {
      clearTimeout(timer);
      const state = peer.connectionState;
      if (state === "failed" || state === "closed") resolve();
      else if (state === "disconnected") timer = setTimeout(() => resolve(), DISCONNECTED_MS);
    };
    peer.addEventListener("connectionstatechange", check);
    check();
  });
}
