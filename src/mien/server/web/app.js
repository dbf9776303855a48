// @ts-check
/** Wires the page: what the visitor does goes to the server, what happens there is shown. */
import * as api from "./api.js";
import { Captions } from "./captions.js";
import { Chat, asked } from "./chat.js";
import { Composer } from "./composer.js";
import { find } from "./dom.js";
import { Ears } from "./ears.js";
import { EventStream } from "./events.js";
import { HeardMeter } from "./heard.js";
import { language, localised, onLanguage, setLanguage, t, translate } from "./i18n.js";
import { LatencyPanel } from "./latency.js";
import { LookPanel } from "./look.js";
import { OnAirPanel } from "./onair.js";
import { PathPanel } from "./path.js";
import { Picture } from "./picture.js";
import { Plate, underPlate } from "./plate.js";
import { Player } from "./player.js";
import { Recordings } from "./recordings.js";
import { Remembering } from "./remembering.js";
import { joined, SessionKeeper } from "./session.js";
import { Sound } from "./sound.js";
import { Status } from "./status.js";
import { dismiss, toast } from "./toasts.js";
import { followViewport } from "./viewport.js";
import { understand } from "./webspeech.js";
import { Who } from "./who.js";

/** A session that dies younger than this is not replaced at once, or page and server would race in circles. */
const YOUNG_MS = 5000;

api.keepToken();
translate();
followViewport();

const videos = {
  webrtc: /** @type {HTMLVideoElement} */ (find("[data-testid=presenter]")),
  ws: /** @type {HTMLVideoElement} */ (find("[data-testid=presenter-ws]")),
};
const stopButton = /** @type {HTMLButtonElement} */ (find(".stop"));
const status = new Status();
const sound = new Sound(videos.webrtc);
const heard = new HeardMeter();
const captions = new Captions();
const latency = new LatencyPanel();
const look = new LookPanel(() => keeper.current?.id);
const recordings = new Recordings();
const onair = new OnAirPanel(() => keeper.current?.id, () => recordings.offer());
const remembering = new Remembering(() => keeper.current?.id);
const plate = new Plate();
const who = new Who(() => look.toggle(), () => look.showVoices(), api.getVoices);
const chat = new Chat((text) => send(text));
const composer = new Composer((text) => send(text));

const picture = new Picture([videos.webrtc, videos.ws], {
  onShown: () => status.set({ picture: true }),
  onLate: () => status.explain(() => t("error_no_picture")),
});

const player = new Player(videos, {
  onMedia: (video) => sound.play(video),
  onFront(video) {
    picture.show(video);
    sound.hear(video);
    heard.attach(video);
    document.documentElement.dataset.path = video === videos.ws ? "ws" : "webrtc";
  },
  isQuiet: () => status.activity !== "speaking",
  onLive(live) {
    if (live) picture.expect();
    else picture.keep();
    status.set(live ? { media: true, server: true } : { media: false, picture: false });
    if (live) dismiss("media");
  },
  onFailure(error, failures) {
    picture.keep();
    status.set({ media: false, picture: false, ...(error && { server: error.status !== 0 }) });
    if (error?.status) status.explain(() => error.words);
    // A single failure is common while a network changes; only a repeated one is worth explaining.
    else if (!error && failures > 1) {
      status.explain(() => t("error_media"));
      exists();
    }
  },
  onGone: () => gone(),
});

new PathPanel(player);

const stream = new EventStream({
  onEvent: (event) => handlers[event.type]?.(event),
  onOpen(open) {
    status.set(open ? { events: true, server: true } : { events: false });
    // No more words will come; the clause must not stay on the picture for ever.
    if (!open) captions.end(true);
  },
  exists,
});

const keeper = new SessionKeeper((error) => {
  status.set({ server: error.status !== 0 });
  status.explain(() => (error.status ? error.words : ""));
});

let telling = Promise.resolve();
const ears = new Ears({
  onInterrupt: () => interrupt(),
  onListening: (words) => composer.listening(words),
  onActivity(listening) {
    const id = keeper.current?.id;
    // One after the other, or the last state could arrive first.
    if (id) telling = telling.then(() => api.setActivity(id, listening ? "listening" : "idle").then(() => {}, () => {}));
  },
  onInterim: (text) => composer.hear(text, false),
  onUtterance(text) {
    composer.hear(text, true);
    composer.submit();
  },
  socketOnly: () => player.state.path === "ws",
  onGone: () => gone(),
});

/** @type {Record<string, (event: import("./events.js").SessionEvent) => void>} */
const handlers = {
  hello({ state, brain, voice, face, avatar, background, blur, outputs, history, ears: listens, persona, memory }) {
    who.show({ brain, voice, face });
    plays(persona);
    remembering.show(joined ? undefined : memory);
    look.show({ avatar, background, blur });
    look.voices.show(voice.wanted ?? voice.name);
    onair.replace(outputs ?? []);
    chat.replace(history ?? []);
    ears.told(listens);
    act(state);
  },
  avatar({ face, avatar, background, blur }) {
    who.changeFace(face);
    look.show({ avatar, background, blur });
    picture.changed();
  },
  persona: (persona) => plays(/** @type {any} */ (persona)),
  voice(speaker) {
    const replaced = who.changeVoice(/** @type {import("./who.js").Speaker} */ (/** @type {unknown} */ (speaker)));
    look.voices.show(speaker.wanted);
    if (!replaced) return;
    const name = localised(speaker.label);
    const back = speaker.name === speaker.wanted;
    const words = { name, wanted: localised(speaker.wanted_label), why: localised(speaker.why) };
    toast(t(back ? "voice_back" : "voice_changed", words), { code: "voice", kind: "notice" });
  },
  output: (event) => onair.change(/** @type {any} */ (event)),
  state: ({ state }) => act(state),
  user: ({ turn, text, from }) => chat.user(turn, asked(text, from)),
  clause({ turn, clause, text, aside }) {
    captions.clause(turn, clause, text);
    if (!aside) chat.clause(turn, clause, text);
  },
  word: ({ turn, clause, stop }) => captions.word(turn, clause, stop),
  turn({ turn, text, complete, aside }) {
    captions.end(complete);
    if (!aside) chat.turn(turn, text, complete);
  },
  tool: (event) => chat.tool(/** @type {any} */ (event)),
  memory: ({ on, facts }) => joined || remembering.changed({ on, facts }),
  sources: ({ turn, sources }) => chat.sources(turn, sources),
  ears: (state) => ears.told(/** @type {any} */ (state)),
  hearing({ speaking }) {
    ears.hearing(speaking);
    chat.speaking(speaking);
  },
  transcript: ({ text, final }) => chat.hearing(text, final),
  barge_in({ what }) {
    status.hold(what === "hold");
    stopButton.disabled &&= what !== "hold";
    if (what === "interrupt") captions.end(false);
  },
  latency: ({ turn, stages }) => latency.add(turn, stages),
  error({ code, message }) {
    chat.thinking(false);
    toast(localised(message), { code });
  },
  notice: ({ code, message }) => toast(localised(message), { code, kind: "notice" }),
  // Also said to a listener that fell behind; its session may well live on.
  closed: () => exists(),
};

/** @param {import("./personas.js").Persona | undefined} persona */
function plays(persona) {
  chat.speaker(persona?.label ?? null);
  plate.call(persona?.label);
  understand(persona?.languages ?? []);
  look.personas.show(persona?.name ?? "");
}

/** @param {import("./status.js").Activity} activity */
function act(activity) {
  status.act(activity);
  if (activity === "idle" || activity === "thinking") status.hold(false);
  ears.follow(activity);
  chat.thinking(activity === "thinking");
  stopButton.disabled = activity !== "thinking" && activity !== "speaking" && !status.held;
}

/** @param {string} text */
async function send(text) {
  const session = keeper.current;
  if (!session) {
    composer.restore(text);
    return toast(t("veil_connecting"), { code: "not-yet", kind: "notice" });
  }
  // A question that interrupts is not measured: what is heard next may still be the old answer.
  heard.cancel();
  const interrupts = !stopButton.disabled;
  const firstSound = interrupts ? Promise.resolve(null) : heard.measure();
  const bubble = chat.sending(text);
  captions.clear();
  act("thinking");
  try {
    const { turn } = await api.chat(session.id, text);
    chat.sent(bubble, turn);
    const ms = await firstSound;
    if (ms === null) return;
    latency.add(turn, { heard: ms });
    await api.reportHeard(session.id, turn, Math.round(ms)).catch(() => {});
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    heard.cancel();
    chat.remove(bubble);
    composer.restore(text);
    act("idle");
    if (error.status === 404) return gone();
    toast(error.words, { code: error.code });
  }
}

async function interrupt() {
  const session = keeper.current;
  if (!session) return;
  heard.cancel();
  chat.thinking(false);
  captions.end(false);
  try {
    await api.interrupt(session.id);
  } catch (error) {
    if (error instanceof api.ApiError && error.status === 404) gone();
    else if (error instanceof api.ApiError) toast(error.words, { code: error.code });
  }
}

/** Asked when the event stream breaks; an unreachable server says nothing about the session. */
async function exists() {
  const session = keeper.current;
  if (!session) return false;
  try {
    const found = await api.findSession(session.id);
    status.set({ server: true });
    if (!found && keeper.current === session) gone();
    return found !== null;
  } catch (error) {
    status.set({ server: error instanceof api.ApiError && error.status !== 0 });
    return true;
  }
}

let began = 0;

async function begin() {
  began = performance.now();
  // Asked again for every session: TURN credentials expire.
  api.getInfo().then(
    (info) => {
      composer.maxText = info.max_text ?? composer.maxText;
      look.newFace.maxClip = info.max_clip_bytes ?? Infinity;
      player.iceServers = info.ice_servers ?? [];
    },
    () => {},
  ).finally(async () => {
    const session = await keeper.open(language);
    if (!session) return;
    status.set({ server: true });
    status.explain(() => "");
    player.play(underPlate(session));
    if (!joined) remembering.begin(session.id);
    stream.follow(session.events);
    ears.begin(session.id);
  });
}

function release() {
  ears.end();
  player.stop();
  stream.close();
  captions.clear();
  status.set({ media: false, events: false, picture: false });
  act("idle");
}

/** The server does not know the session any more: say so and begin another. */
async function gone() {
  if (!keeper.current) return;
  await keeper.leave();
  picture.keep();
  release();
  chat.divide();
  // A page nobody looks at must not keep a presenter busy.
  if (document.hidden) {
    status.explain(() => t("ended_asleep"));
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  } else if (performance.now() - began < YOUNG_MS) {
    await new Promise((resolve) => setTimeout(resolve, YOUNG_MS));
  }
  toast(t("new_session"), { code: "new-session", kind: "notice" });
  begin();
}

const languageButton = find(".language");
function showLanguage() {
  languageButton.textContent = t("other_language");
  languageButton.lang = language() === "zh" ? "en" : "zh-CN";
  languageButton.setAttribute("aria-label", t("other_language_label"));
}
languageButton.addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh"));
onLanguage(async () => {
  showLanguage();
  // The presenter speaks the language of its session; before the first word a new one costs nothing.
  if (joined || !chat.untouched || !keeper.current) return;
  release();
  chat.clear();
  await keeper.leave({ end: true });
  begin();
});
showLanguage();

stopButton.addEventListener("click", () => interrupt());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !stopButton.disabled) interrupt();
});
addEventListener("pagehide", () => {
  ears.end();
  player.stop();
  stream.close();
});
addEventListener("pageshow", (event) => {
  // Back from the browser's cache, where connections do not survive.
  const session = keeper.current;
  if (!event.persisted || !session) return;
  player.play(underPlate(session));
  stream.follow(session.events);
  ears.begin(session.id);
});

begin();
