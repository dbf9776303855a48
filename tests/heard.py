"""Whole conversations in this process, and what of them leaves for the audience, to the sample."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.config import Settings
from mien.conversation import Conversation
from mien.language import Language
from mien.media.lanes import SoundLane
from mien.media.tick import SAMPLES_PER_TICK, Pcm
from mien.services import Services, open_services
from mien.tts.pace import paced_words
from scripted_voice import ScriptedVoice, performance, tone

# A voice in a hurry: tests wait for it.
PACE = 0.6
# Question → answer, of a script that has nothing to say but this.
ANSWERS: dict[Language, dict[str, str]] = {
    "en": {
        "Where is the lighthouse?": "Over there, behind seven hills, stands our lighthouse. "
        "Few people know its age.",
        "What do whales eat?": "Krill, mostly, and small fish.",
        "Can I use my own photo?": "Parrots would.",
        "What is a digital human?": "Somebody made from numbers.",
    },
    "zh": {
        "灯塔在哪里？": "就在那边，七座山的后面，立着旧灯塔。没人数过。",
        "鲸鱼吃什么？": "主要吃磷虾。",
        "怎么换声音？": "先喝口茶。",
    },
}


@asynccontextmanager
async def hearing(folder: Path, **settings: Any) -> AsyncIterator[Services]:
    """What all conversations of a test file share. folder: for the script."""
    faq = folder / "faq.toml"
    faq.write_text(
        "\n".join(
            f'[[entry]]\nid = "{language}{number}"\n'
            f'[entry.{language}]\nquestions = ["{question}"]\nanswer = "{answer}"\n'
            for language, answers in ANSWERS.items()
            for number, (question, answer) in enumerate(answers.items())
        ),
        encoding="utf-8",
    )
    small = {"width": 64, "height": 64}
    async with open_services(Settings(video=small, faq=[faq], **settings)) as services:
        yield services


class Wire:
    """Takes the sound an output would send, when it would: an encoder that leaves it as it is."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, Pcm]] = []

    def encode(self, pcm: Pcm, position: int) -> list[Any]:
        self._pieces.append((position, pcm.copy()))
        return []

    @property
    def sound(self) -> Pcm:
        """int16[n] mono 48 kHz, all that has left. Ticks that a busy machine left out are too."""
        places = [position for position, _ in self._pieces]
        assert places == sorted(set(places))
        return np.concatenate([pcm for _, pcm in self._pieces])


@dataclass
class Talk:
    """A conversation that is listened to. messages: all events so far."""

    conversation: Conversation
    voice: ScriptedVoice
    wire: Wire
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            m
            for m in self.messages
            if m["type"] == kind and all(m.get(k) == v for k, v in fields.items())
        ]

    async def until(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}; {self.messages[-5:]}")
            await asyncio.sleep(0.002)

    async def first(self, kind: str, seconds: float = 60, **fields: Any) -> dict[str, Any]:
        await self.until(lambda: self.of(kind, **fields), f"{kind} {fields}", seconds)
        return self.of(kind, **fields)[0]

    @property
    def said(self) -> Pcm:
        """int16[n] mono 48 kHz: all the voice was told to say."""
        return np.concatenate([performance(runs, PACE)[0] for runs in self.voice.heard])

    @property
    def context(self) -> list[tuple[str, str]]:
        """(role, text) of what the brain is told at the next question."""
        messages = self.conversation.transcript.context.get_messages()
        return [(str(m["role"]), str(m["content"])) for m in messages]  # type: ignore[index]

    @property
    def words_told(self) -> list[str]:
        """The words that events told of, as written, in order."""
        clauses = {c["clause"]: c["text"] for c in self.of("clause")}
        return [clauses[w["clause"]][w["begin"] : w["stop"]] for w in self.of("word")]


@asynccontextmanager
async def talking(services: Services, language: Language, **others: Any) -> AsyncIterator[Talk]:
    """A conversation whose voice says each word as a tone of its own. Nobody watches.

    others: who else takes part, see ``Cast``.
    """
    voice = ScriptedVoice("tones", pace=PACE)
    cast = replace(services.cast(language), voice=voice, **others)
    conversation = Conversation(cast)
    talk = Talk(conversation, voice, Wire())

    async def note() -> None:
        with conversation.events.listen() as events:
            while (message := await events.get()) is not None:
                talk.messages.append(message)

    conversation.program._sound["audio"] = SoundLane("audio", lambda: talk.wire)
    with conversation.program.subscribe("audio"):
        conversation.performer.draw = False
        tasks = [asyncio.create_task(each) for each in (note(), conversation.run())]
        await conversation.ready()
        try:
            yield talk
        finally:
            for task in tasks:
                task.cancel()
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks, return_exceptions=True)


async def together(*each: Coroutine[Any, Any, None]) -> None:
    """All at once; when one fails the others end before it is told."""
    async with asyncio.TaskGroup() as tasks:
        for one in each:
            tasks.create_task(one)


def words_of(text: str) -> list[str]:
    """As the tone voice says them."""
    words = (text[word.begin : word.stop] for word in paced_words(text))
    return [word for word in words if any(letter.isalnum() for letter in word)]


def heard_words(sound: Pcm, text: str) -> list[tuple[str, int]]:
    """Each word of ``text`` whose tone is in ``sound``, in order, and for how many samples."""
    assert len(set(words_of(text))) == len(words_of(text)), "words that sound alike"
    counts = [(word, int(np.count_nonzero(sound == tone(word)))) for word in words_of(text)]
    return [(word, count) for word, count in counts if count]


def missing(said: Pcm, sound: Pcm) -> NDArray[np.int32]:
    """int32[n]: what is left of ``said`` when ``sound`` is taken from it, whatever silences are in
    that: nothing, if each sample was sent once and in its order.

    What fades out is sent twice, and both times together have its loudness.
    """
    left = said.astype(np.int32)
    for part in _apart(sound):
        place = int(np.flatnonzero(left)[0])
        assert place + len(part) <= len(left), "more was heard than was said"
        left[place : place + len(part)] -= part
    return left


def _apart(sound: Pcm) -> list[Pcm]:
    """The pieces of ``sound`` between silences: pauses, waits for the voice, holds."""
    loud = np.flatnonzero(sound)
    breaks = np.flatnonzero(np.diff(loud) > SAMPLES_PER_TICK // 2)
    begins, ends = loud[np.r_[0, breaks + 1]], loud[np.r_[breaks, len(loud) - 1]] + 1
    return [sound[begin:end] for begin, end in zip(begins, ends, strict=True)]
