// @ts-check
/** Plays fragments as they come (Media Source Extensions) and stays close to the newest. */

/** The managed one is all that iPhones have. */
const any = /** @type {any} */ (globalThis);
const Source = /** @type {typeof MediaSource | undefined} */ (any.MediaSource ?? any.ManagedMediaSource);

/** @param {string} mime */
export const playable = (mime) => Source?.isTypeSupported(mime) ?? false;

/** Between the newest sound and what is heard. Chromium begins with 0.2 s; less leaves no room for a late packet. */
const TARGET_SEC = 0.16;
/** A line that stutters gets more room, step by step, and loses it again while it does not. */
const STEP_SEC = 0.06;
const MOST_SEC = 0.5;
const CALM_MS = 10_000;
/** Catching up in steps too small to be noticed; beyond, by a jump. */
const FASTER = 1.06;
const MUCH_FASTER = 1.12;
const FAR_SEC = 0.2;
const SLOWER = 0.95;
const SLACK_SEC = 0.06;
const TOO_FAR_SEC = 0.6;
/** Behind a hole, enough must be there to go on from. */
const ENOUGH_SEC = 0.1;
/** What has been played is kept for this long and deleted in pieces; key frames are at most 10 s apart. */
const KEEP_SEC = 12;
const PIECE_SEC = 8;

export class LiveBuffer {
  #video;
  #source;
  #url;
  /** @type {SourceBuffer | null} */ #buffer = null;
  /** @type {ArrayBuffer[]} */ #waiting = [];
  #target = TARGET_SEC;
  #calmSince = performance.now();
  #silentUntil = -1;
  #failed = false;
  #ending = new AbortController();

  /**
   * Takes the place of whatever the element shows.
   * @param {HTMLVideoElement} video
   * @param {string} mime
   * @param {() => void} onBroken the browser cannot go on with it
   */
  constructor(video, mime, onBroken) {
    if (!Source) throw new Error("no MediaSource");
    this.#video = video;
    this.onBroken = onBroken;
    const source = (this.#source = new Source());
    const { signal } = this.#ending;
    source.addEventListener("sourceopen", () => this.#open(mime), { once: true, signal });
    // It waits to begin with, too, which says nothing of the line.
    const watch = () => video.addEventListener("waiting", () => this.#stuttered(), { signal });
    video.addEventListener("playing", watch, { once: true, signal });
    video.addEventListener("error", () => this.#fail(), { signal });
    // The managed source wants it: nothing of this can be shown by another device.
    video.disableRemotePlayback = true;
    video.srcObject = null;
    video.src = this.#url = URL.createObjectURL(source);
  }

  /** @param {ArrayBuffer} fragment */
  append(fragment) {
    this.#waiting.push(fragment);
    this.#work();
    this.#follow();
  }

  /** How far the newest is ahead of what is shown, in seconds. */
  get ahead() {
    const { buffered, currentTime } = this.#video;
    return buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  }

  /** What is heard before this time is of the past. @param {number} at seconds */
  silenceUntil(at) {
    if (this.#video.currentTime >= at) return;
    this.#silentUntil = at;
    this.#video.volume = 0;
    // Phones leave the volume to their buttons.
    if (this.#video.volume > 0) this.#seek(at);
  }

  close() {
    this.#ending.abort();
    this.#video.volume = 1;
    this.#video.playbackRate = 1;
    if (this.#video.src === this.#url) {
      this.#video.removeAttribute("src");
      this.#video.load();
    }
    URL.revokeObjectURL(this.#url);
  }

  /** @param {string} mime */
  #open(mime) {
    try {
      const buffer = (this.#buffer = this.#source.addSourceBuffer(mime));
      buffer.addEventListener("updateend", () => this.#work(), { signal: this.#ending.signal });
      buffer.addEventListener("error", () => this.#fail(), { signal: this.#ending.signal });
      this.#work();
    } catch {
      this.#fail();
    }
  }

  #work() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#ending.signal.aborted || this.#failed) return;
    const played = this.#video.currentTime - KEEP_SEC;
    const { buffered } = buffer;
    try {
      if (buffered.length && played - buffered.start(0) > PIECE_SEC) return buffer.remove(0, played);
      if (this.#waiting.length) buffer.appendBuffer(joined(this.#waiting));
      this.#waiting = [];
    } catch (error) {
      if (/** @type {DOMException} */ (error).name !== "QuotaExceededError" || played <= 0) return this.#fail();
      buffer.remove(0, played + KEEP_SEC - 1);
    }
  }

  #follow() {
    const video = this.#video;
    const { buffered, currentTime } = video;
    if (currentTime >= this.#silentUntil && video.volume === 0) video.volume = 1;
    if (!buffered.length || video.seeking || video.paused) return;
    const begin = buffered.start(buffered.length - 1);
    const end = buffered.end(buffered.length - 1);
    const ahead = end - currentTime;
    const beforeHole = currentTime < begin - 0.05;
    if (ahead > Math.max(TOO_FAR_SEC, 2 * this.#target) || (beforeHole && !within(buffered, currentTime))) {
      if (end - begin > ENOUGH_SEC) this.#seek(Math.max(begin, end - this.#target));
      return;
    }
    if (performance.now() - this.#calmSince > CALM_MS) {
      this.#calmSince = performance.now();
      this.#target = Math.max(TARGET_SEC, this.#target - STEP_SEC / 2);
    }
    this.#pace(ahead - this.#target);
  }

  /** @param {number} over seconds more than wanted */
  #pace(over) {
    const now = this.#video.playbackRate;
    let rate = now;
    if (over > FAR_SEC) rate = MUCH_FASTER;
    else if (over > SLACK_SEC) rate = FASTER;
    else if (over < -SLACK_SEC) rate = SLOWER;
    else if ((now > 1 && over < 0.01) || (now < 1 && over > -0.01)) rate = 1;
    if (rate !== now) this.#video.playbackRate = rate;
  }

  #stuttered() {
    this.#calmSince = performance.now();
    this.#target = Math.min(MOST_SEC, this.#target + STEP_SEC);
  }

  /** @param {number} to */
  #seek(to) {
    this.#video.playbackRate = 1;
    this.#video.currentTime = to;
  }

  #fail() {
    if (this.#failed || this.#ending.signal.aborted) return;
    this.#failed = true;
    this.onBroken();
  }
}

/** Whether there is more to play without a jump. @param {TimeRanges} ranges @param {number} at */
function within(ranges, at) {
  for (let i = 0; i < ranges.length; i++) {
    if (at >= ranges.start(i) - 0.01 && at < ranges.end(i) - 0.06) return true;
  }
  return false;
}

/** @param {ArrayBuffer[]} parts */
function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return whole;
}
