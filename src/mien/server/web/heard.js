// @ts-check
/** Measures what the visitor feels: the time from pressing send to the first sound of the answer. */

/** About -46 dBFS: above the codec's noise, below the start of any voice. */
const LOUD = 0.005;
const EVERY_MS = 10;
/** The earlier answer must have fallen silent so long before a sound counts as the new one. */
const QUIET_MS = 120;
const GIVE_UP_MS = 30_000;

export class HeardMeter {
  /** @type {AudioContext | null} */ #context = null;
  /** @type {AnalyserNode | null} */ #analyser = null;
  /** @type {MediaStreamAudioSourceNode | null} */ #source = null;
  /** @type {HTMLVideoElement | null} */ #video = null;
  #run = 0;

  /** @param {HTMLVideoElement} video what is heard from now on */
  attach(video) {
    this.#video = video;
    if (this.#context) this.#connect();
  }

  /** From now (the visitor pressed send) until sound; null if none came or a newer question did. @returns {Promise<number | null>} */
  measure() {
    const run = ++this.#run;
    const began = performance.now();
    // Made here, in a gesture: browsers keep a context silent that was made without one.
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#connect();
    }
    this.#context.resume().catch(() => {});
    const samples = new Float32Array(256);
    let quietSince = began;
    let speaking = this.#level(samples) > LOUD;
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now();
        const loud = this.#level(samples) > LOUD;
        if (run !== this.#run || now - began > GIVE_UP_MS) finish(null);
        else if (!loud && speaking && now - quietSince > QUIET_MS) speaking = false;
        else if (loud && speaking) quietSince = now;
        else if (loud) finish(now - began);
      }, EVERY_MS);
      /** @param {number | null} ms */
      function finish(ms) {
        clearInterval(timer);
        resolve(ms);
      }
    });
  }

  cancel() {
    this.#run++;
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  #level(samples) {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(samples);
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    return Math.sqrt(sum / samples.length);
  }

  #connect() {
    this.#source?.disconnect();
    const context = this.#context;
    const stream = this.#video && streamOf(this.#video);
    if (!context || !stream?.getAudioTracks().length) return;
    this.#analyser ??= new AnalyserNode(context, { fftSize: 256 });
    this.#source = context.createMediaStreamSource(stream);
    // Not connected on to the loudspeaker: the video element already plays the sound.
    this.#source.connect(this.#analyser);
  }
}

/** The sound of an element; null where a browser does not give it away. @param {HTMLVideoElement} video @returns {MediaStream | null} */
function streamOf(video) {
  if (video.srcObject instanceof MediaStream) return video.srcObject;
  // Firefox' mozCaptureStream would take the sound away from the loudspeaker.
  const captured = /** @type {any} */ (video).captureStream?.();
  for (const track of captured?.getVideoTracks() ?? []) {
    track.stop();
    captured.removeTrack(track);
  }
  return captured ?? null;
}
