// @ts-check
/** Waiting times between attempts: doubling, with jitter so that many pages do not return at once. */
export class Backoff {
  #attempt = 0;

  /** @param {number} [firstMs] @param {number} [mostMs] */
  constructor(firstMs = 500, mostMs = 10_000) {
    this.firstMs = firstMs;
    this.mostMs = mostMs;
  }

  get attempts() {
    return this.#attempt;
  }

  /** How long to wait before the next attempt, in milliseconds. */
  next() {
    const ms = Math.min(this.mostMs, this.firstMs * 2 ** this.#attempt++);
    return ms * (0.75 + Math.random() * 0.5);
  }

  /** Resolves after the waiting time, or at once when the browser comes back online. */
  wait() {
    const ms = this.next();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        removeEventListener("online", done);
        resolve(undefined);
      };
      const timer = setTimeout(done, ms);
      addEventListener("online", done);
    });
  }

  reset() {
    this.#attempt = 0;
  }
}
