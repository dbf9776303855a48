// @ts-check
/** `?path=ws` or `?path=webrtc` in the address: one way only, to find out what is wrong with a network. */

/** @returns {"ws" | "webrtc" | null} */
export function forcedPath() {
  const wanted = new URL(location.href).searchParams.get("path");
  return wanted === "ws" || wanted === "webrtc" ? wanted : null;
}
