// @ts-check
/** What every WebRTC connection to the server goes through, whichever way its sound goes. */

/** Candidates beyond the first second are rarely needed and would hold up the picture. */
const GATHER_MS = 1000;
const CONNECT_MS = 12_000;

/** The browser has no address to offer; no pair of addresses works; none was found in time. @typedef {"no_candidates" | "failed" | "slow"} NoPath */

export class NoMediaPath extends Error {
  /** @param {NoPath} why */
  constructor(why) {
    super(why);
    this.why = why;
  }
}

/** @param {RTCPeerConnection} peer */
export function gathered(peer) {
  return new Promise((resolve) => {
    if (peer.iceGatheringState === "complete") return resolve(undefined);
    setTimeout(resolve, GATHER_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState === "complete") resolve(undefined);
    });
  });
}

/** @param {RTCPeerConnection} peer */
export function connected(peer) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new NoMediaPath("slow")), CONNECT_MS);
    const check = () => {
      const state = peer.connectionState;
      if (state === "connected") resolve(undefined);
      else if (state === "failed" || state === "closed") reject(new NoMediaPath("failed"));
      else return;
      clearTimeout(timer);
    };
    peer.addEventListener("connectionstatechange", check);
    check();
  });
}
