"""``mien bench barge-in``: talking over the avatar, seen from both ends of the wire.

A WHIP microphone whose every sample has a known time speaks, coughs or brings back the avatar's
own voice; a WHEP viewer hears what becomes of the avatar's speech. The voice is the measuring
one (:mod:`mien.bench.markers`): it hums without a pause, so that silence is somebody's doing, and
beeps with numbers, so that what is skipped or repeated shows. Echo is measured with the product's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from typing import Any

import httpx
import numpy as np

from mien.bench.barge_in_ear import Ear, beeps_in
from mien.bench.barge_in_sounds import Sound, speaking
from mien.bench.figures import quantiles
from mien.bench.markers import BEEP_EVERY_SEC, STAGGER_SEC, STAGGERS
from mien.bench.server import Running, running_server
from mien.bench.speaker import FRAME_SEC, SpeakerError, WhipSpeaker
from mien.bench.visit import Visit, VisitError, visiting, wait_for_reports
from mien.media.microphone import RATE

# No marks, so that there is no pause in it.
STORY = (
    "the tide comes in and the tide goes out while the lamp of the old lighthouse turns above the "
    "bay and nobody counts the ships that pass by in the night on their way to the north where the "
    "ice begins and the whales sing to each other all winter long until the sun comes back and the "
    "ships return with the wind behind them and stories nobody believes"
).split()
# As the measuring voice says it.
WORDS_PER_SEC = 2.6
# The answer is under way, and its loudness known, when somebody speaks.
BEFORE_SEC = 1.2
# A decision comes at the latest so long after the sound has ended, on a slow machine.
DECIDE_SEC = 12.0
# Between two coughs: after the longest doubt about the first.
BETWEEN_SEC = 2.2
# How much of one answer is coughed at: beyond, its end would come.
COUGHS_PER_ANSWER = 5
ANSWER_SEC = 90.0
# Of a quiet room: no microphone is as silent as zeros.
ROOM = 12.0


@dataclass(slots=True)
class Interruptions:
    """Figures in ms from the acoustic onset at the microphone, one per interruption."""

    duck: list[float] = field(default_factory=list)
    silence: list[float] = field(default_factory=list)
    hold: list[float] = field(default_factory=list)
    interrupt: list[float] = field(default_factory=list)
    packet: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    resumed: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "duck_ms": quantiles(self.duck),
            "silence_ms": quantiles(self.silence),
            "hold_event_ms": quantiles(self.hold),
            "interrupt_event_ms": quantiles(self.interrupt),
            "client_packet_ms": quantiles(self.packet),
            "missed": self.missed,
            "resumed_first": self.resumed,
        }


@dataclass(slots=True)
class Reactions:
    """Of coughs and backchannels. held: ms from hold to resume. wrong: that interrupted.

    answers: those not interrupted. texts_wrong: of these, whose words did not come in order, each
        once, and to the end. beeps_wrong:
    beeps skipped, repeated or at a wrong place; beeps: heard; holds: silences between them.
    """

    count: int = 0
    wrong: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    unheld: int = 0
    answers: int = 0
    texts_wrong: int = 0
    beeps: int = 0
    beeps_wrong: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "reactions": self.count,
            "false_interruptions": self.wrong,
            "false_answers": self.answered,
            "hold_to_resume_ms": quantiles(self.held),
            "not_held": self.unheld,
            "answers": self.answers,
            "answers_with_wrong_text": self.texts_wrong,
            "beeps": self.beeps,
            "beeps_skipped_or_repeated": self.beeps_wrong,
        }


@dataclass(slots=True)
class Scene:
    """One session with its microphone and its viewer."""

    visit: Visit
    speaker: WhipSpeaker
    ear: Ear

    def since(self, moment: float, kind: str, **having: Any) -> list[tuple[float, dict[str, Any]]]:
        """Events of that type after ``moment``."""
        return [
            (at, message)
            for at, message in self.visit.events
            if at >= moment
            and message["type"] == kind
            and all(message.get(key) == value for key, value in having.items())
        ]

    async def until(self, met: Callable[[], bool], within: float) -> bool:
        """Wait for something; whether it came."""
        deadline = time.monotonic() + within
        while not met():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.01)
        return True

    async def begin_answer(self, text: str) -> tuple[float, int]:
        """Returns when it began to sound, and its turn."""
        self.ear.forget()
        sent, turn = await self.visit.say(text)
        if not await self.until(lambda: self.ear.loudness(sent, np.inf) > 0, ANSWER_SEC):
            raise VisitError("the avatar does not speak")
        return time.monotonic(), turn

    async def end_turns(self) -> None:
        """Whatever is being said or listened to is over."""
        deadline = time.monotonic() + ANSWER_SEC
        while not (self._unheard and await self.visit.state() == "idle"):
            if not self.visit.ears.get("microphone"):
                raise VisitError("the session has lost its microphone; is the machine too busy?")
            if time.monotonic() > deadline:
                raise VisitError(f"the session remains {await self.visit.state()}")
            await asyncio.sleep(0.3)
            await self.visit.interrupt()

    @property
    def _unheard(self) -> bool:
        """Whether the session is done with all that it has heard."""
        told = [message for _, message in self.visit.events if message["type"] == "hearing"]
        return not told or not told[-1]["speaking"]


@asynccontextmanager
async def scene(server: Running) -> AsyncIterator[Scene]:
    """A session that is watched and spoken to; English, which is heard without a download.

    Raises:
        VisitError: when one of them does not come about.
    """
    async with visiting(server.url, language="en") as visit:
        await wait_for_reports(visit.viewer)
        speaker, ear = WhipSpeaker(noise=ROOM), Ear()
        visit.viewer.on_sound = ear.take
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            try:
                await speaker.connect(http, visit.whip)
                stage = Scene(visit, speaker, ear)
                listens = await stage.until(lambda: bool(visit.ears.get("microphone")), ANSWER_SEC)
                if not listens:
                    raise VisitError("the session does not notice its microphone")
                yield stage
            except SpeakerError as error:
                raise VisitError(str(error)) from None
            finally:
                await speaker.aclose()


async def interrupt_with(stage: Scene, sound: Sound, found: Interruptions) -> None:
    """One interruption, from the avatar's speech to silence in the session."""
    await stage.begin_answer(story(30))
    await asyncio.sleep(BEFORE_SEC)
    begun = await stage.speaker.play(sound.pcm)
    onset, end = (begun + at / RATE for at in (sound.onset, sound.end))

    def interrupts() -> list[tuple[float, dict[str, Any]]]:
        return stage.since(begun, "barge_in", what="interrupt")

    heard = await stage.until(lambda: bool(interrupts()), end - time.monotonic() + DECIDE_SEC)
    before = stage.ear.loudness(onset - 0.5, onset)
    if not heard:
        found.missed.append(sound.name)
    elif before:  # else the machine was too busy for the avatar to speak at all
        at = interrupts()[0][0]
        held = stage.since(begun, "barge_in", what="hold")
        found.resumed += bool(stage.since(begun, "barge_in", what="resume"))
        answered = stage.since(begun, "user")
        until = min([at + 0.5, *(when for when, _ in answered)])
        found.duck.append(1000 * (stage.ear.down(onset, until, before) - onset))
        found.silence.append(1000 * (stage.ear.silent(onset, until) - onset))
        found.hold += [1000 * (when - onset) for when, _ in held[:1]]
        found.interrupt.append(1000 * (at - onset))
        found.packet.append(1000 * (FRAME_SEC - sound.onset / RATE % FRAME_SEC))
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    await stage.end_turns()


async def react_with(stage: Scene, sounds: list[Sound], found: Reactions) -> None:
    """Some coughs and backchannels over one answer, which then comes to its end."""
    text = story(BEFORE_SEC + len(sounds) * (BETWEEN_SEC + 1))
    begun, turn = await stage.begin_answer(text)
    await asyncio.sleep(BEFORE_SEC)
    loudness = stage.ear.loudness(begun, np.inf)
    for sound in sounds:
        at = await stage.speaker.play(sound.pcm)
        end = at + len(sound.pcm) / RATE
        await asyncio.sleep(end + BETWEEN_SEC - time.monotonic())
        found.count += 1
        held = stage.since(at, "barge_in", what="hold")
        resumed = stage.since(at, "barge_in", what="resume")
        found.unheld += not held
        found.held += [1000 * (b - a) for (a, _), (b, _) in zip(held, resumed, strict=False)]
        if stage.since(at, "barge_in", what="interrupt"):
            found.wrong.append(sound.name)
            return await stage.end_turns()
        if stage.since(at, "user"):
            found.answered.append(sound.name)
            return await stage.end_turns()
    found.answers += 1
    ended = await stage.visit.event("turn", turn, ANSWER_SEC)
    if ended is None:
        raise VisitError("an answer that was coughed at does not come to its end")
    await asyncio.sleep(0.3)  # its last sound is on the wire
    found.texts_wrong += not told_once(stage.visit, turn, text)
    _check_beeps(stage.ear, loudness, found)
    await stage.end_turns()


def story(seconds: float) -> str:
    """Something to say for about as long, and a second more."""
    return " ".join(islice(cycle(STORY), round((seconds + 1) * WORDS_PER_SEC)))


def told_once(visit: Visit, turn: int, whole: str) -> bool:
    """Whether the words of a turn came in order, each once, to the end of the whole text."""
    text, told, at = "", "", 0
    complete = False
    for _, message in visit.events:
        if message.get("turn") != turn:
            continue
        if message["type"] == "clause":
            told, at = told + text[:at], 0
            text = str(message["text"])
        elif message["type"] == "word":
            begin, stop = int(message["begin"]), int(message["stop"])
            if begin < at or text[at:begin].strip():
                return False
            at = stop
        elif message["type"] == "turn":
            complete = bool(message["complete"]) and str(message["text"]).strip() == whole
    return complete and "".join((told + text[:at]).split()) == "".join(whole.split())


def _check_beeps(ear: Ear, loudness: float, found: Reactions) -> None:
    """Nothing is repeated, nothing is skipped, to the fades of a hold."""
    beeps = beeps_in(ear.sound(), loudness)
    found.beeps += len(beeps.numbers)
    for number, following in pairwise(beeps.numbers):
        if number is not None and following is not None:
            found.beeps_wrong += (following - number) % 256 != 1
    for gap in beeps.gaps:
        places = [n % STAGGERS * STAGGER_SEC for n in (gap.number, gap.number + 1)]
        nominal = BEEP_EVERY_SEC + places[1] - places[0]
        # A hold is silent for 5 ms less at either end: there its fades are not 12 dB down.
        found.beeps_wrong += abs(gap.spacing - nominal - gap.silence) > 0.02


async def run_barge_in(
    interruptions: int,
    coughs: int,
    echo_minutes: float,
    on_progress: Callable[[float], None],
    **settings: Any,
) -> dict[str, Any]:
    """So many interruptions, coughs or backchannels, and minutes of echo; 0 leaves a part out.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    from mien.bench.barge_in_echo import measure_echo

    # Rough seconds of each, for the bar.
    work = [interruptions * 6.0, coughs * 5.0, echo_minutes * 60]
    done = 0.0

    def on_step(seconds: float) -> None:
        nonlocal done
        done += seconds
        on_progress(min(1.0, done / max(1.0, sum(work))))

    result: dict[str, Any] = {}
    if interruptions or coughs:
        talks, reactions = Interruptions(), Reactions()
        async with speaking() as speakers:
            spoken = await speakers.interruptions(interruptions)
            others = await speakers.reactions(coughs)
        with running_server("marker", **settings) as server:
            async with scene(server) as stage:
                for sound in spoken:
                    await interrupt_with(stage, sound, talks)
                    on_step(6.0)
                for first in range(0, len(others), COUGHS_PER_ANSWER):
                    some = others[first : first + COUGHS_PER_ANSWER]
                    await react_with(stage, some, reactions)
                    on_step(5.0 * len(some))
                result["recognizer"] = stage.visit.ears.get("engine")
        result |= {"interruptions": interruptions, **talks.as_json(), **reactions.as_json()}
    if echo_minutes:
        result |= await measure_echo(echo_minutes, on_step, **settings)
    return result
