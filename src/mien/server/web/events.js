// @ts-check
/** What happens in the session, as server-sent events; connects again by itself. */
import { tokenUrl } from "./api.js";
import { Backoff } from "./backoff.js";

/** @typedef {Record<string, any> & {type: string}} SessionEvent */

/** EventSource gives no reason for an error; after so long without the first event, try anew. */
const SILENT_MS = 10_000;

export class EventStream {
  /** @type {EventSource | null} */ #source = null;
  #generation = 0;
  #backoff = new Backoff();

  /**
   * @param {object} events
   * @param {(event: SessionEvent) => void} events.onEvent
   * @param {(open: boolean) => void} events.onOpen
   * @param {() => Promise<boolean>} events.exists whether the session is still there
   */
  constructor(events) {
    this.events = events;
  }

  /** @param {string} path */
  async follow(path) {
    const generation = ++this.#generation;
    this.#backoff.reset();
    while (generation === this.#generation) {
      await this.#once(path);
      if (generation !== this.#generation) return;
      this.events.onOpen(false);
      await this.#backoff.wait();
      // The browser hides the HTTP status of an event stream, so a 404 must be asked for.
      if (generation !== this.#generation || !(await this.events.exists())) return;
    }
  }

  close() {
    this.#generation++;
    this.#source?.close();
    this.#source?.dispatchEvent(new Event("error"));
    this.#source = null;
  }

  /** One stream: resolves when it ends. @param {string} path */
  #once(path) {
    return new Promise((resolve) => {
      const source = new EventSource(tokenUrl(path));
      this.#source = source;
      const end = () => {
        clearTimeout(timer);
        source.close();
        resolve(undefined);
      };
      const timer = setTimeout(end, SILENT_MS);
      source.onerror = end;
      source.onmessage = ({ data }) => {
        if (source !== this.#source) return;
        /** @type {SessionEvent} */
        let event;
        try {
          event = JSON.parse(data);
        } catch {
          return console.warn("event that is not JSON", data);
        }
        if (event.type === "hello") {
          clearTimeout(timer);
          this.#backoff.reset();
          this.events.onOpen(true);
        }
        this.events.onEvent(event);
      };
    });
  }
}
