// @ts-check
/** The microphone with all that hangs on it: its loudness, the way to the server, the browser's recogniser. */
import { Capture } from "./capture.js";
import { Dictation } from "./dictation.js";
import { LevelMeter } from "./meter.js";
import { MicLine } from "./micline.js";

/**
 * @typedef {object} MicrophoneEvents
 * @property {() => void} onChange something of its state
 * @property {(level: number) => void} onLevel 0…1
 * @property {() => void} onLost it was unplugged, and there is no other
 * @property {(failures: number) => void} onFailure the server could not be reached
 * @property {() => void} onTaken another microphone speaks for this session now
 * @property {() => void} onGone the session does not exist any more
 * @property {() => boolean} socketOnly whether WebRTC is known not to pass
 * @property {() => string | null} session its id, while there is one
 * @property {(key: string) => void} onSpeechProblem the browser's recogniser cannot; a key of words.js
 */

export class Microphone {
  #dictates = false;

  /** @param {MicrophoneEvents} events */
  constructor(events) {
    this.events = events;
    this.meter = new LevelMeter(events.onLevel);
    this.line = new MicLine({ ...events, onUp: () => events.onChange() });
    this.dictation = new Dictation(events.session, events.onSpeechProblem);
    this.capture = new Capture({
      onStream: (stream) => {
        this.meter.follow(stream);
        this.line.replace(stream.getAudioTracks()[0]);
        this.#listen();
      },
      onLost: () => events.onLost(),
      onChange: () => events.onChange(),
    });
  }

  /** Whether the server hears it. */
  get up() {
    return this.line.up;
  }

  get silenced() {
    return this.capture.silenced;
  }

  /** Rejects as getUserMedia does. @param {boolean} live whether it is to be heard at once */
  async open(live) {
    this.capture.live = live;
    return (await this.capture.open()) !== null;
  }

  /** Silence from now on, or sound. @param {boolean} live @param {boolean} dictates whether the browser's recogniser listens beside */
  set(live, dictates) {
    this.capture.live = live;
    this.#dictates = dictates;
    this.#listen();
  }

  /** To the server, if it is open. */
  send() {
    const track = this.#track;
    const session = this.events.session();
    if (track && session) this.line.run(session, track);
  }

  /** The session has ended; the device stays open for the next one. */
  rest() {
    this.line.stop();
    this.dictation.stop();
  }

  close() {
    this.rest();
    this.capture.close();
    this.meter.follow(null);
  }

  get #track() {
    return this.capture.stream?.getAudioTracks()[0];
  }

  #listen() {
    const track = this.#track;
    if (track && this.#dictates && this.capture.live) this.dictation.start(track);
    else if (!this.#dictates) this.dictation.stop();
    else this.dictation.finish();
  }
}
