"""``mien bench latency --mic``: how long people who speak wait for an answer.

A recorded question goes in by WebRTC, the answer comes out by WebRTC, the server is a process of
its own; ``time.monotonic()`` is one clock on a machine, whichever process reads it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx

from mien.bench.figures import quantiles
from mien.bench.latency import WARM_UP_TURNS, Loudness
from mien.bench.server import running_server
from mien.bench.speaker import SpeakerError, WhipSpeaker
from mien.bench.spoken import SpokenQuestion, spoken_questions
from mien.bench.visit import Visit, VisitError, visiting
from mien.language import Language
from mien.media.microphone import RATE
from mien.trace import STAGES

# The longest turn end there is, twice over, and a slow machine.
ANSWER_SEC = 20.0
# An answer is well under way when it is interrupted, and over when the next question begins.
TALK_SEC, QUIET_SEC = 0.6, 1.0

# What each part of the wait is, by the stage that ends it; "arrived" is at the viewer.
PARTS = {
    "asr_final": "pause, its words and judgement",
    "turn_end": "rest of the silence",
    "llm_first_token": "brain",
    "first_clause": "clause",
    "tts_first_pcm": "voice",
    "first_packet": "tick and packet",
    "arrived": "wire",
}


@dataclass(slots=True)
class Wait:
    """One spoken question and its answer, in monotonic seconds.

    acoustic_end: when the question's last audible sample was captured. stamps: of the server's
    trace. arrived: the first packet of the answer at the viewer.
    """

    acoustic_end: float
    stamps: Mapping[str, float]
    speculated: bool
    arrived: float

    def parts(self) -> dict[str, float]:
        """What the wait since ``speech_end`` consists of, in ms; a stage that was over before
        another one it did not wait for takes no part of it."""
        at = self.stamps["speech_end"]
        parts = {}
        for stage in PARTS:
            done = self.arrived if stage == "arrived" else self.stamps.get(stage, at)
            parts[stage] = 1000 * max(0.0, done - at)
            at = max(at, done)
        return parts

    @property
    def brain_ms(self) -> float:
        """How long nothing but the brain's first token was waited for."""
        return self.parts()["llm_first_token"]

    @property
    def since_speech_end_ms(self) -> float:
        return 1000 * (self.arrived - self.stamps["speech_end"]) - self.brain_ms

    @property
    def since_acoustic_end_ms(self) -> float:
        return 1000 * (self.arrived - self.acoustic_end) - self.brain_ms

    @property
    def label_ms(self) -> float:
        """From the last audible sample to its arrival at the server, as VAD labels it."""
        return 1000 * (self.stamps["speech_end"] - self.acoustic_end)

    def stages(self) -> dict[str, float]:
        start = self.stamps["speech_end"]
        return {
            stage: max(0.0, 1000 * (at - start))
            for stage, at in self.stamps.items()
            if stage in STAGES
        }


@dataclass(slots=True)
class Waits:
    """Those of a measurement. unanswered: questions that no answer came to."""

    waits: list[Wait] = field(default_factory=list)
    unanswered: int = 0

    def as_json(self) -> dict[str, Any]:
        waits = self.waits
        stages = [wait.stages() for wait in waits]
        parts = [wait.parts() for wait in waits]
        return {
            "speech_end_to_packet_ms": quantiles([w.since_speech_end_ms for w in waits]),
            "acoustic_end_to_packet_ms": quantiles([w.since_acoustic_end_ms for w in waits]),
            "brain_ms": quantiles([w.brain_ms for w in waits]),
            "stages": {
                stage: quantiles([one[stage] for one in stages if stage in one]) for stage in STAGES
            },
            "breakdown_ms": {
                "arrival and label": quantiles([w.label_ms for w in waits]),
                **{name: quantiles([one[part] for one in parts]) for part, name in PARTS.items()},
            },
            "speculated_share": sum(w.speculated for w in waits) / max(1, len(waits)),
            "unanswered": self.unanswered,
        }


async def ask_aloud(
    visit: Visit, speaker: WhipSpeaker, sound: Loudness, question: SpokenQuestion
) -> Wait | None:
    """None when no answer came, or the recogniser failed for once.

    Raises:
        VisitError: when the session tells of an error that will stay.
    """
    sound.packets.clear()
    before = len(visit.events)
    begun = await speaker.play(question.pcm)
    acoustic_end = begun + question.end / RATE
    deadline = acoustic_end + ANSWER_SEC
    while (first := sound.first_after(acoustic_end)) is None:
        for _, message in visit.events[before:]:
            if message["type"] == "error" and message["retryable"]:
                return None
            if message["type"] == "error":
                raise VisitError(str(message["message"]["en"]))
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.01)
    trace = await _newest_trace(visit)
    return Wait(acoustic_end, trace["stamps"], trace["speculated"], first[0])


async def _newest_trace(visit: Visit) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=visit.url, trust_env=False) as http:
        traces = (await http.get("/bench/traces")).raise_for_status().json()
    if not traces or "speech_end" not in traces[-1]["stamps"]:
        raise VisitError("what was answered is not what was said: the turn was not a spoken one")
    return dict(traces[-1])


async def measure(
    visit: Visit,
    speaker: WhipSpeaker,
    questions: Iterator[SpokenQuestion],
    turns: int,
    on_progress: Callable[[float], None],
) -> Waits:
    """Ask, listen, interrupt: ``turns`` times. Progress is 0…1."""
    sound, waits = Loudness(), Waits()
    visit.viewer.on_sound = sound.take
    for turn in range(turns + WARM_UP_TURNS):
        on_progress(turn / (turns + WARM_UP_TURNS))
        wait = await ask_aloud(visit, speaker, sound, next(questions))
        await asyncio.sleep(TALK_SEC)
        await visit.interrupt()
        await asyncio.sleep(QUIET_SEC)
        if turn >= WARM_UP_TURNS:
            if wait is None:
                waits.unanswered += 1
            else:
                waits.waits.append(wait)
    if not waits.waits:
        raise VisitError("none of the questions was answered: is the machine too slow, or busy?")
    return waits


async def run_latency_mic(
    turns: int,
    language: Language,
    voice: str | None,
    recognizer: str | None,
    on_progress: Callable[[float], None],
    *,
    voices: Mapping[str, Any],
    recognizers: Mapping[str, Any],
) -> dict[str, Any]:
    """Measure the product's own ears, avatar, voice and scripted brain.

    language: of the questions. voice, recognizer: by name, and nothing stands in for them; None
        for what is chosen by itself.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    settings: dict[str, Any] = {"voices": voices, "ears": {"recognizers": recognizers}}
    if voice is not None:
        settings["voice"] = voice.split(",")
    if recognizer is not None:
        settings["ears"]["asr"] = recognizer
    with running_server("product", **settings) as server:
        async with visiting(server.url, language=language) as visit:
            waits = await _speak(visit, language, turns, on_progress)
            ears = visit.ears
    return {
        "voice": voice or "espeak",
        "recognizer": ears["engine"],
        "language": language,
        **waits.as_json(),
    }


async def _speak(
    visit: Visit, language: Language, turns: int, on_progress: Callable[[float], None]
) -> Waits:
    questions = cycle(spoken_questions(language))
    speaker = WhipSpeaker()
    async with httpx.AsyncClient(base_url=visit.url, trust_env=False) as http:
        try:
            await speaker.connect(http, visit.whip)
            return await measure(visit, speaker, questions, turns, on_progress)
        except SpeakerError as error:
            raise VisitError(f"the microphone: {error}") from error
        finally:
            await speaker.aclose()
