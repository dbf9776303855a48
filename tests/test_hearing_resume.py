"""Held and released: what is said goes on where it stopped, every sample and every word once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio

from heard import ANSWERS, Talk, heard_words, hearing, missing, talking, together, words_of
from mien.avatar.contract import Pose
from mien.language import Language
from mien.lipsync.contract import Mouth, MouthRequest, MouthShape
from mien.media.tick import SAMPLES_PER_TICK, Tick
from mien.services import Services
from test_performer import Face, Lips

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELD_SEC = 0.3
# After how many words, and seconds, it is held; the second of two also as it fades in again.
HOLDS = (
    [(1, 0.01)],
    [(2, 0.05)],
    [(4, 0.0)],
    [(7, 0.02)],
    [(2, 0.05), (2, 0.015)],
    [(1, 0.0), (3, 0.1), (6, 0.07)],
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with hearing(tmp_path_factory.mktemp("hearing")) as opened:
        yield opened


def asked(language: Language) -> tuple[str, str]:
    """A question and its answer."""
    return next(iter(ANSWERS[language].items()))


async def performed(
    services: Services, language: Language, holds: Sequence[tuple[int, float]]
) -> Talk:
    """An answer that is held so many seconds after a word of that number."""
    async with talking(services, language) as talk:
        turn = await talk.conversation.chat(asked(language)[0])
        for number, later in holds:
            await talk.until(lambda n=number: len(talk.of("word")) >= n, f"{number} words")
            await asyncio.sleep(later)
            assert talk.conversation.hold() and talk.conversation.held
            assert talk.conversation.state == "listening"
            words = len(talk.of("word"))
            await asyncio.sleep(HELD_SEC)
            assert len(talk.of("word")) == words, "nothing is told while it is held"
            talk.conversation.release()
        closed = await talk.first("turn", turn=turn)
        assert closed["complete"] and closed["text"] == asked(language)[1]
        assert [m["what"] for m in talk.of("barge_in")] == ["hold", "resume"] * len(holds)
        return talk


async def test_every_sample_and_every_word_once(services: Services) -> None:
    await together(all_once(services, "en"), all_once(services, "zh"))


async def all_once(services: Services, language: Language) -> None:
    async with asyncio.TaskGroup() as tasks:
        whole = tasks.create_task(performed(services, language, ()))
        held = [tasks.create_task(performed(services, language, holds)) for holds in HOLDS]
    once = whole.result()
    heard = heard_words(once.wire.sound, asked(language)[1])
    assert [word for word, _ in heard] == words_of(asked(language)[1])
    for talk in (once, *(task.result() for task in held)):
        assert not missing(talk.said, talk.wire.sound).any()
        assert talk.words_told == once.words_told
        assert [c["text"] for c in talk.of("clause")] == [c["text"] for c in once.of("clause")]


class ToneLips(Lips):
    """A mouth that shows which word it believes is heard in the middle of its tick."""

    def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
        middle = round((self.context[0] + 0.02) * self.sample_rate)
        return [
            Mouth(MouthShape(openness=float(request.audio[middle]) * 32768)) for request in batch
        ]


class ToneFace(Face):
    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> np.ndarray:
        speaks = mouth is not None and mouth.shape is not None and mouth.weight == 1
        level = round(mouth.shape.openness / 10 - 100) if speaks else 255  # type: ignore[union-attr]
        return np.full((64, 64, 3), max(0, level), np.uint8)


async def test_lips_go_on_with_the_voice(services: Services) -> None:
    ticks: list[Tick] = []
    resumed = 0
    async with talking(services, "en", avatar=ToneFace(), lipsync=ToneLips(48_000)) as talk:

        async def watch() -> None:
            with talk.conversation.program.ticks() as newest:
                while True:
                    ticks.append(await newest.get())

        watching = asyncio.create_task(watch())
        await talk.conversation.chat(asked("en")[0])
        for wait in (0.5, 0.3, 0.4):
            await talk.first("word")
            await asyncio.sleep(wait)
            talk.conversation.hold()
            await asyncio.sleep(HELD_SEC)
            talk.conversation.release()
            resumed = resumed or ticks[-1].index
        await talk.first("turn")
        watching.cancel()
    checked = 0
    for before, tick in pairwise(ticks):
        tone = int(tick.audio[SAMPLES_PER_TICK // 2])
        pure = tone > 0 and np.all(tick.audio[900:1020] == tone)
        if pure and tick.image is not before.image and tick.index > resumed:
            assert tick.image[0, 0, 0] == tone / 10 - 100
            checked += 1
    assert checked > 10
