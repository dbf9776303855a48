// @ts-check
/** The frame around the presenter: fits its shape, keeps its last image while reconnecting. */
import { find } from "./dom.js";

/** A change of background is seen after planning ahead, encoding and the browser's buffer. */
const CHANGE_MS = 800;
/** With sound and path up, a picture follows within a key frame; much later something is wrong. */
const LATE_MS = 8000;

export class Picture {
  #stage = find(".stage");
  #frame = find(".picture");
  #still = /** @type {HTMLCanvasElement} */ (find(".still"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #late;

  /**
   * @param {HTMLVideoElement[]} videos one of them is seen, the first to begin with
   * @param {{onShown: () => void, onLate: () => void}} events
   */
  constructor(videos, events) {
    this.videos = videos;
    this.video = videos[0];
    this.events = events;
    for (const video of videos) {
      video.addEventListener("resize", () => this.#fit());
      // The first picture may have come before this one was in front, and be gone for a moment then.
      for (const kind of ["loadeddata", "playing"]) {
        video.addEventListener(kind, () => video === this.video && this.#shown());
      }
    }
    this.show(this.video);
  }

  /** From now on this one is seen. @param {HTMLVideoElement} front */
  show(front) {
    this.video = front;
    for (const video of this.videos) {
      video.classList.toggle("front", video === front);
      video.setAttribute("aria-hidden", String(video !== front));
    }
    if (front.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.#shown();
  }

  #shown() {
    clearTimeout(this.#late);
    this.#fit();
    this.events.onShown();
  }

  /** The connection is up, so a picture must come. */
  expect() {
    clearTimeout(this.#late);
    if (this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return;
    this.#late = setTimeout(this.events.onLate, LATE_MS);
  }

  /** The connection is lost: the last image stays below the video, so that the person does not vanish. */
  keep() {
    clearTimeout(this.#late);
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    this.#still.width = width;
    this.#still.height = height;
    this.#still.getContext("2d")?.drawImage(this.video, 0, 0);
  }

  /** Another background: the colours beside the picture follow. */
  changed() {
    setTimeout(() => this.#fit(), CHANGE_MS);
  }

  #fit() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return;
    this.#frame.style.setProperty("--aspect", String(width / height));
    this.#borrowColours(width, height);
  }

  /** The colours at the picture's upper sides, usually a wall, to go on where the picture ends. @param {number} width @param {number} height */
  #borrowColours(width, height) {
    const canvas = new OffscreenCanvas(2, 1);
    const brush = canvas.getContext("2d");
    if (!brush) return;
    const strip = Math.max(1, width * 0.04);
    brush.imageSmoothingQuality = "high";
    brush.drawImage(this.video, 0, 0, strip, height / 3, 0, 0, 1, 1);
    brush.drawImage(this.video, width - strip, 0, strip, height / 3, 1, 0, 1, 1);
    const { data } = brush.getImageData(0, 0, 2, 1);
    this.#stage.style.setProperty("--left", `rgb(${data[0]} ${data[1]} ${data[2]})`);
    this.#stage.style.setProperty("--right", `rgb(${data[4]} ${data[5]} ${data[6]})`);
  }
}
