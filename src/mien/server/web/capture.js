// @ts-check
/** The microphone of this device: opened without echo, chosen, silenced, missed when it is unplugged. */
import { recall, remember } from "./memory.js";

const KEY = "mien.microphone";

/**
 * @typedef {object} CaptureEvents
 * @property {(stream: MediaStream) => void} onStream it hears now, perhaps by another device than before
 * @property {(error: unknown) => void} onLost it was unplugged or taken away, and no other is there
 * @property {() => void} onChange the devices, or whether the system keeps this one silent
 */

export class Capture {
  /** @type {MediaStream | null} */ #stream = null;
  #generation = 0;
  #live = false;

  /** @param {CaptureEvents} events */
  constructor(events) {
    this.events = events;
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#onDevices());
  }

  get stream() {
    return this.#stream;
  }

  get #track() {
    return this.#stream?.getAudioTracks()[0];
  }

  /** The device that hears now; "" while there is none. */
  get device() {
    return this.#track?.getSettings().deviceId ?? "";
  }

  /** Muted outside of the page: by a key of the headset, by the system, by a call. */
  get silenced() {
    return Boolean(this.#track?.muted);
  }

  /** While it is false, nothing but silence leaves this device. */
  get live() {
    return this.#live;
  }

  set live(on) {
    this.#live = on;
    if (this.#track) this.#track.enabled = on;
  }

  /** Rejects as getUserMedia does. Resolves to null when it was closed meanwhile. @returns {Promise<MediaStream | null>} */
  async open() {
    const generation = ++this.#generation;
    const stream = await opened(recall(KEY));
    if (generation !== this.#generation) {
      stop(stream);
      return null;
    }
    const [track] = stream.getAudioTracks();
    track.enabled = this.#live;
    track.onended = () => stream === this.#stream && this.#reopen();
    track.onmute = track.onunmute = () => stream === this.#stream && this.events.onChange();
    const before = this.#stream;
    this.#stream = stream;
    stop(before);
    this.events.onStream(stream);
    this.events.onChange();
    return stream;
  }

  close() {
    this.#generation++;
    const stream = this.#stream;
    this.#stream = null;
    stop(stream);
  }

  /** Remembered; used at once if something is open. @param {string} id */
  async choose(id) {
    remember(KEY, id);
    if (this.#stream) await this.#reopen();
  }

  /** Names are only told once the visitor has allowed the microphone. @returns {Promise<MediaDeviceInfo[]>} */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
  }

  async #reopen() {
    try {
      await this.open();
    } catch (error) {
      this.close();
      this.events.onLost(error);
    }
  }

  async #onDevices() {
    this.events.onChange();
    const wanted = recall(KEY);
    if (!this.#stream || !wanted || this.device === wanted) return;
    // The chosen one is back.
    if ((await this.devices()).some(({ deviceId }) => deviceId === wanted)) await this.#reopen();
  }
}

/** @param {string | null} device the chosen one; where it is not plugged in, another is better than none @returns {Promise<MediaStream>} */
async function opened(device) {
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  if (device) {
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: device } } });
    } catch (error) {
      if (!["OverconstrainedError", "NotFoundError"].includes(/** @type {Error} */ (error).name)) throw error;
    }
  }
  return navigator.mediaDevices.getUserMedia({ audio });
}

/** @param {MediaStream | null} stream */
function stop(stream) {
  for (const track of stream?.getTracks() ?? []) {
    track.onended = track.onmute = track.onunmute = null;
    track.stop();
  }
}
