// @ts-check
/** In the browser's audio thread: the microphone's sound as int16 little-endian, a few packets a frame of video. */

/** Of those who listen to speech, none hears a difference between 20 and 40 ms. */
const PACKET_SEC = 0.02;

// What TypeScript's own library does not know of this thread.
const scope = /** @type {any} */ (globalThis);

class Microphone extends scope.AudioWorkletProcessor {
  /** @param {{processorOptions: {step: number}}} options step: of how many samples one is made */
  constructor({ processorOptions }) {
    super();
    this.step = processorOptions.step;
    this.packet = new Int16Array(Math.round((scope.sampleRate / this.step) * PACKET_SEC));
    this.filled = 0;
    this.sum = 0;
    this.summed = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process([[samples]]) {
    // Nothing is connected while the device is being changed.
    for (const sample of samples ?? []) {
      this.sum += sample;
      if (++this.summed < this.step) continue;
      const value = Math.round((32767 * this.sum) / this.step);
      this.packet[this.filled++] = Math.max(-32768, Math.min(32767, value));
      this.sum = this.summed = 0;
      if (this.filled < this.packet.length) continue;
      this.port.postMessage(this.packet.slice().buffer);
      this.filled = 0;
    }
    return true;
  }
}

scope.registerProcessor("microphone", Microphone);
