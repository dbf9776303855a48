// @ts-check
/** The presenter alone, as a source for OBS and the like: shows, sounds, and never gives up. */
import * as api from "../api.js";
import { Backoff } from "../backoff.js";
import { Captions } from "../captions.js";
import { find } from "../dom.js";
import { EventStream } from "../events.js";
import { language, t, translate } from "../i18n.js";
import { Player } from "../player.js";
import { Copier, Joiner } from "./joiner.js";
import { optionsIn } from "./options.js";

/** @typedef {import("../api.js").Session} Session */

api.keepToken();
translate();

const options = optionsIn(location);
const canvas = /** @type {HTMLCanvasElement} */ (find("canvas"));
const why = find(".why");
const videos = {
  webrtc: /** @type {HTMLVideoElement} */ (find("[data-testid=presenter]")),
  ws: /** @type {HTMLVideoElement} */ (find("[data-testid=presenter-ws]")),
};
canvas.style.objectFit = options.fit;

let front = videos.webrtc;
/** A broadcast must never show why it does not show anything; whoever sets it up must. */
let shown = false;
const picture = maker();

/** @returns {Joiner | Copier} */
function maker() {
  try {
    if (options.transparent) return new Joiner(canvas);
  } catch (error) {
    console.warn("Without WebGL the presenter cannot be shown without background.", error);
  }
  return new Copier(canvas);
}

for (const video of Object.values(videos)) drawEvery(video);

/** @param {HTMLVideoElement} video */
function drawEvery(video) {
  const next = () => video.requestVideoFrameCallback(draw);
  function draw() {
    next();
    if (video !== front || !video.videoWidth) return;
    picture.draw(video);
    shown = true;
    why.hidden = true;
    document.documentElement.dataset.stage = "shown";
  }
  next();
}

/** @param {HTMLVideoElement} video */
async function play(video) {
  video.muted = options.muted || video !== front;
  try {
    await video.play();
  } catch (error) {
    // OBS lets every page sound; a browser may want a click first. AbortError: something newer plays.
    if (/** @type {DOMException} */ (error).name !== "NotAllowedError") return;
    video.muted = true;
    await video.play().catch(() => {});
  }
}

for (const kind of ["pointerup", "keydown"]) addEventListener(kind, () => front.muted && play(front));

/** @param {string} words */
function explain(words) {
  console.warn(words);
  why.textContent = words;
  why.hidden = shown;
}

let gone = () => {};
const player = new Player(videos, {
  onMedia: play,
  onFront(video) {
    front = video;
    Object.values(videos).forEach(play);
  },
  isQuiet: () => true,
  onLive(live) {
    document.documentElement.dataset.connection = live ? "live" : "lost";
  },
  onFailure(error) {
    if (error?.status) explain(error.words);
  },
  onGone: () => gone(),
});

/** Waits until the session is there. @returns {Promise<Session>} */
async function found() {
  const backoff = new Backoff(500, 3000);
  for (;;) {
    try {
      player.iceServers = (await api.getInfo()).ice_servers;
      const session = await (options.session === "new"
        ? api.createSession({ language: language(), ...options.wanted })
        : api.findSession(options.session));
      if (session) return session;
      explain(t("stage_no_session", { name: options.session }));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      // A server that does not answer is being started: nothing to explain.
      if (error.status) explain(error.words);
    }
    await backoff.wait();
  }
}

/** Shows the session until it is over. @param {Session} session */
async function show({ id }) {
  const name = encodeURIComponent(id);
  const query = picture instanceof Joiner ? "?cutout=1" : "";
  await new Promise((resolve) => {
    gone = () => resolve(undefined);
    player.play({ whep: `/whep/${name}${query}`, ws: `/ws/${name}${query}` });
  });
  player.stop();
}

/** Only for captions: a browser opens six connections to a server, and all sources share them. @param {Session} session */
function follow({ id, events }) {
  const captions = new Captions();
  const stream = new EventStream({
    onEvent(event) {
      if (event.type === "clause") captions.clause(event.turn, event.clause, event.text);
      if (event.type === "word") captions.word(event.turn, event.clause, event.stop);
      if (event.type === "turn") captions.end(event.complete);
    },
    onOpen: (open) => !open && captions.end(true),
    exists: async () => (await api.findSession(id).catch(() => true)) !== null,
  });
  stream.follow(events);
  return stream;
}

/** @type {Session | null} */
let own = null;
addEventListener("pagehide", () => {
  player.stop();
  if (own) api.request("DELETE", `/api/v1/sessions/${own.id}`, { keepalive: true }).catch(() => {});
});

for (;;) {
  const session = await found();
  if (options.session === "new") own = session;
  const stream = options.captions ? follow(session) : null;
  await show(session);
  stream?.close();
}
