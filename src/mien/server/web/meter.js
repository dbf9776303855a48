// @ts-check
/** How loud the microphone is, for the eye: not measured while nobody looks at the page. */

const EVERY_MS = 60;
/** From a quiet room to a loud voice. */
const [QUIET_DB, LOUD_DB] = [-60, -12];
/** It falls more slowly than it rises, as needles do, or it would flicker with each syllable. */
const FALL = 0.12;

export class LevelMeter {
  /** @type {AudioContext | null} */ #context = null;
  /** @type {MediaStreamAudioSourceNode | null} */ #source = null;
  #analyser = /** @type {AnalyserNode | null} */ (null);
  #samples = new Float32Array(1024);
  #level = 0;
  #drawn = 0;
  #frame = 0;

  /** @param {(level: number) => void} onLevel 0…1 */
  constructor(onLevel) {
    this.onLevel = onLevel;
  }

  /** @param {MediaStream | null} stream */
  follow(stream) {
    cancelAnimationFrame(this.#frame);
    this.#source?.disconnect();
    this.#source = null;
    if (!stream) {
      this.#context?.close();
      this.#context = this.#analyser = null;
      return this.#show(0);
    }
    this.#context ??= new AudioContext();
    this.#context.resume().catch(() => {});
    this.#analyser ??= new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
    this.#measure();
  }

  /** Browsers draw no frames of a hidden page. */
  #measure() {
    this.#frame = requestAnimationFrame((now) => {
      this.#measure();
      if (now - this.#drawn < EVERY_MS || !this.#analyser) return;
      this.#drawn = now;
      this.#analyser.getFloatTimeDomainData(this.#samples);
      let sum = 0;
      for (const sample of this.#samples) sum += sample * sample;
      const decibels = 10 * Math.log10(sum / this.#samples.length + 1e-9);
      const level = Math.min(1, Math.max(0, (decibels - QUIET_DB) / (LOUD_DB - QUIET_DB)));
      this.#show(Math.max(level, this.#level - FALL));
    });
  }

  /** @param {number} level */
  #show(level) {
    if (level === this.#level) return;
    this.#level = level;
    this.onLevel(level);
  }
}
