"""What a listener does in each of its modes, with a real voice activity detector and turn detector.

The words come as from a page whose browser recognises them; the sound is recorded speech, pushed
faster than real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from heard import Talk, hearing, talking
from mien.asr.wake_word import WakeWords
from mien.bench.spoken import spoken_questions
from mien.listener import Listener
from mien.media.tick import Pcm
from mien.services import Services

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHALES = "What do whales eat?"
PIECE = 320


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    folder: Path = tmp_path_factory.mktemp("listener")
    async with hearing(folder, ears={"asr": "browser", "wake_words": ["Mei"]}) as opened:
        await opened.hearing.vad.warm_up()
        yield opened


@pytest.fixture(scope="module")
def speech() -> Pcm:
    return spoken_questions("en")[0].pcm


class Ear:
    """A listener, and a microphone that is pushed into it."""

    def __init__(self, talk: Talk, listener: Listener) -> None:
        self.talk = talk
        self.listener = listener
        self._noise = np.random.default_rng(1)

    async def hear(self, pcm: Pcm) -> None:
        for begin in range(0, len(pcm), PIECE):
            self.listener.hear(pcm[begin : begin + PIECE])
            await asyncio.sleep(0)

    def quiet(self, seconds: float) -> Pcm:
        return self._noise.normal(0, 8, round(seconds * 16_000)).astype(np.int16)

    async def quiet_until(self, kind: str, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while not self.talk.of(kind, **fields):
                await self.hear(self.quiet(0.02))
                await asyncio.sleep(0.005)
        return self.talk.of(kind, **fields)[0]

    async def say(self, speech: Pcm, words: str) -> None:
        """Speech, and what the browser makes of it."""
        await self.hear(self.quiet(0.3))
        await self.hear(speech)
        self.listener.interpreter.words(words, final=True)


@asynccontextmanager
async def ear(services: Services, mode: str) -> AsyncIterator[Ear]:
    async with talking(services, "en") as talk:
        listener = Listener(talk.conversation, services.hearing, services.hearing.wake_words)
        running = asyncio.create_task(listener.run())
        try:
            await listener.choose(browser=True, mode=mode)  # type: ignore[arg-type]
            listener.connected("a test")
            await talk.first("ears", microphone=True, engine="browser", mode=mode)
            await asyncio.sleep(0)
            yield Ear(talk, listener)
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_what_is_said_hands_free_is_answered(services: Services, speech: Pcm) -> None:
    async with ear(services, "hands_free") as ears:
        await ears.say(speech, WHALES)
        asked = await ears.quiet_until("user")
        assert asked["text"] == WHALES
        heard = [(m["speaking"]) for m in ears.talk.of("hearing")]
        assert heard == [True, False]
        assert ears.talk.of("transcript")[-1] == {
            "type": "transcript",
            "text": WHALES,
            "final": True,
        }
        answered = await ears.talk.first("turn", turn=asked["turn"])
        assert answered["text"] == "Krill, mostly, and small fish."
        stages = (await ears.talk.first("latency"))["stages"]
        assert stages["speech_end"] == 0 < stages["turn_end"] <= stages["first_packet"]
        states = [m["state"] for m in ears.talk.of("state")]
        assert states == ["listening", "thinking", "speaking", "idle"]


async def test_noise_and_a_knock_are_not_answered(services: Services) -> None:
    async with ear(services, "hands_free") as ears:
        noise = np.random.default_rng(2)
        await ears.hear(noise.normal(0, 300, 16_000).astype(np.int16))
        knock = noise.normal(0, 9000, 480) * np.exp(-np.arange(480) / 90)
        await ears.hear(knock.astype(np.int16))
        await ears.hear(ears.quiet(1.5))
        await asyncio.sleep(0.05)
        assert not ears.talk.of("user") and not ears.talk.of("hearing")
        assert ears.talk.conversation.state == "idle"


async def test_push_to_talk_hears_only_while_the_button_is_held(
    services: Services, speech: Pcm
) -> None:
    async with ear(services, "push_to_talk") as ears:
        await ears.say(speech, "nobody asked me")
        await ears.hear(ears.quiet(2.5))
        assert not ears.talk.of("hearing")
        ears.listener.press(True)
        await ears.talk.first("hearing", speaking=True)
        await ears.say(speech, WHALES)
        await ears.hear(ears.quiet(2.5))
        assert not ears.talk.of("user"), "the button says when it is over, not a pause"
        ears.listener.press(False)
        assert (await ears.quiet_until("user"))["text"] == WHALES


async def test_the_button_interrupts_at_once(services: Services, speech: Pcm) -> None:
    async with ear(services, "push_to_talk") as ears:
        await ears.talk.conversation.chat("Where is the lighthouse?")
        await ears.talk.first("word")
        ears.listener.press(True)
        cut = await ears.talk.first("turn")
        assert not cut["complete"]
        ears.listener.press(False)
        async with asyncio.timeout(60):
            while ears.talk.conversation.state != "idle":
                await ears.hear(ears.quiet(0.02))
                await asyncio.sleep(0.01)


async def test_asleep_it_hears_nothing_but_its_name(services: Services, speech: Pcm) -> None:
    async with ear(services, "wake_word") as ears:
        await ears.talk.until(lambda: ears.listener.state["wake_words"] == ["Mei"], "its name")
        await ears.say(speech, WHALES)
        await ears.hear(ears.quiet(2.5))
        for _ in range(100):
            await ears.hear(ears.quiet(0.02))
            await asyncio.sleep(0.005)
        assert not ears.talk.of("user") and not ears.talk.of("transcript")
        assert not ears.talk.of("hearing") and not ears.listener.state["awake"]
        await ears.say(speech, f"Hey May, {WHALES}")
        assert (await ears.quiet_until("user"))["text"] == WHALES
        assert ears.listener.state["awake"]
        await ears.talk.first("turn")
        await ears.say(speech, "Where is the lighthouse?")
        asked = await ears.quiet_until("user", text="Where is the lighthouse?")
        assert asked["turn"] > 1, "awake, it need not be called again"


async def test_whoever_takes_over_is_called_otherwise(services: Services, speech: Pcm) -> None:
    async with ear(services, "wake_word") as ears:
        ears.listener.answer_to(WakeWords(["Lin"]), "en")
        assert ears.listener.state["wake_words"] == ["Lin"]
        await ears.say(speech, f"Lin, {WHALES}")
        assert (await ears.quiet_until("user"))["text"] == WHALES
    ears.listener.answer_to(WakeWords(["Mei"]), "en")
    await ears.listener.choose(mode="hands_free")
    await ears.listener.choose(mode="wake_word")
    await asyncio.sleep(0.1)
    assert ears.listener.wakefulness._word is None, "it is over: nobody would close it"


async def test_a_microphone_that_goes_away_takes_no_word_with_it(
    services: Services, speech: Pcm
) -> None:
    async with ear(services, "hands_free") as ears:
        await ears.say(speech, WHALES)
        ears.listener.connected(None)
        asked = await ears.talk.first("user")
        assert asked["text"] == WHALES
        assert not ears.listener.state["microphone"]


async def test_without_barge_in_it_is_deaf_while_it_answers(tmp_path: Path, speech: Pcm) -> None:
    async with hearing(tmp_path, ears={"asr": "browser", "barge_in": False}) as services:
        async with ear(services, "hands_free") as ears:
            await ears.talk.conversation.chat(WHALES)
            await ears.talk.first("word")
            await ears.hear(speech)
            assert not ears.talk.of("barge_in") and not ears.talk.of("hearing")
            assert (await ears.talk.first("turn"))["complete"]
