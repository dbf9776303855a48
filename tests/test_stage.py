"""Between pipeline and performer: foreign voices, stale turns, and what survives a turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager

import numpy as np
from pipecat.frames.frames import (
    AggregatedTextFrame,
    Frame,
    LLMFullResponseEndFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.tests.utils import run_test
from pipecat.utils.text.base_text_aggregator import TextType

from fake_openai import FakeOpenAI, Scenario
from mien.config import Settings
from mien.conversation import Conversation
from mien.lipsync.contract import Mouth, MouthRequest
from mien.lipsync.viseme import VisemeLipSync
from mien.lipsync.viseme.mouth import covered
from mien.media.speech import Word
from mien.media.tick import Event, Tick
from mien.performer import Performer
from mien.services import Services, open_services
from mien.stage import Stage, TurnFrame
from mien.tts.alignment import AlignedVoice, ForcedAlignment
from mien.tts.clauses import ClauseFrame, GestureFrame
from mien.tts.espeak import EspeakVoice
from mien.tts.service import SpeechFrame, VoiceService
from mien.tts.voice import Run
from test_alignment import Mute


def sound(seconds: float, rate: int = 24_000, channels: int = 1) -> bytes:
    return np.full(round(seconds * rate) * channels, 4000, np.int16).tobytes()


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[Performer, list[Event]]]:
    events: list[Event] = []
    async with open_services(Settings()) as services:
        performer = Performer(
            services.avatar,
            services.lipsync,
            ThreadPoolExecutor(1),
            on_event=lambda event, tick: events.append(event),
        )
        performer.draw = False
        yield performer, events


async def play(performer: Performer, ticks: int) -> list[Tick]:
    stream = performer.__aiter__()
    out = [await anext(stream) for _ in range(ticks)]
    await stream.aclose()  # type: ignore[attr-defined]
    return out


async def run_stage(performer: Performer, frames: list[Frame]) -> list[str]:
    stages: list[str] = []
    await run_test(Stage(performer, stages.append), frames_to_send=frames, start_timeout=60)
    return stages


async def test_a_foreign_voice_is_heard_with_paced_captions() -> None:
    async with staged() as (performer, events):
        stages = await run_stage(
            performer,
            [
                TurnFrame(1, 0),
                AggregatedTextFrame("你好 world", TextType.SENTENCE),
                TTSAudioRawFrame(sound(0.5, channels=2), 24_000, 2),
                TTSAudioRawFrame(sound(0.5), 24_000, 1),
                LLMFullResponseEndFrame(),
            ],
        )
        assert stages == ["tts_first_pcm"]
        ticks = await play(performer, 30)
    loud = sum(np.count_nonzero(tick.audio) for tick in ticks)
    assert abs(loud - 48_000) < 200, "one second of sound, stereo mixed down"
    assert [event.name for event in events] == ["clause", "word", "word", "word", "turn"]
    spans = [(e.data["begin"], e.data["stop"]) for e in events if e.name == "word"]
    assert spans == [(0, 1), (1, 2), (3, 8)]


async def test_gestures_of_a_foreign_voice_follow_the_paced_words() -> None:
    async with staged() as (performer, events):
        await run_stage(
            performer,
            [
                TurnFrame(1, 0),
                ClauseFrame("你好 world", TextType.SENTENCE, gestures=((0, "smile"), (3, "nod"))),
                TTSAudioRawFrame(sound(1.0), 24_000, 1),
                GestureFrame("laugh"),
                LLMFullResponseEndFrame(),
            ],
        )
        await play(performer, 30)
    names = [event.data.get("name", event.name) for event in events]
    assert names == ["clause", "smile", "word", "word", "nod", "word", "laugh", "turn"]


async def test_a_line_break_that_a_voice_drops_does_not_move_gestures() -> None:
    async with staged() as (performer, events):
        words = (Word(0, 2, 0.0, 0.1), Word(3, 5, 0.1, 0.2))
        await run_stage(
            performer,
            [
                TurnFrame(1, 0),
                ClauseFrame("\n\nab cd", TextType.SENTENCE, gestures=((2, "smile"), (5, "nod"))),
                SpeechFrame(sound(0.2), 24_000, 1, None, "ab cd", (), words, True),
                LLMFullResponseEndFrame(),
            ],
        )
        await play(performer, 10)
    names = [event.data.get("name", event.name) for event in events]
    assert names == ["clause", "smile", "word", "nod", "word", "turn"]


async def test_a_voice_that_never_says_that_its_clause_ends_does_not_hold_up_the_turn() -> None:
    async with staged() as (performer, events):
        broken = SpeechFrame(sound(0.1), 24_000, 1, None, "cut", (), (), False)
        fine = SpeechFrame(sound(0.1), 24_000, 1, None, "fine", (), (), True)
        await run_stage(
            performer,
            [
                TurnFrame(1, 0),
                AggregatedTextFrame("cut", TextType.SENTENCE),
                broken,
                AggregatedTextFrame("fine", TextType.SENTENCE),
                fine,
                AggregatedTextFrame("cut", TextType.SENTENCE),
                broken,
                LLMFullResponseEndFrame(),
            ],
        )
        ticks = await play(performer, 15)
    assert sum(np.count_nonzero(tick.audio) for tick in ticks) > 0.29 * 48_000
    assert [event.name for event in events] == ["clause", "clause", "clause", "turn"]


async def test_what_comes_before_the_turn_marker_is_over() -> None:
    async with staged() as (performer, events):
        performer.interrupt()  # generation 1
        stale = SpeechFrame(sound(0.2), 24_000, 1, None, "old", (), (), True)
        fresh = SpeechFrame(sound(0.2), 24_000, 1, None, "new", (), (), True)
        await run_stage(
            performer,
            [
                TurnFrame(1, 0),
                AggregatedTextFrame("old", TextType.SENTENCE),
                stale,
                LLMFullResponseEndFrame(),
                TurnFrame(2, 1),
                AggregatedTextFrame("new", TextType.SENTENCE),
                fresh,
                LLMFullResponseEndFrame(),
            ],
        )
        await play(performer, 12)
    assert [event.data.get("text") for event in events if event.name == "clause"] == ["new"]
    assert [event.data for event in events if event.name == "turn"] == [{"turn": 2}]


def conversation_on(services: Services) -> Conversation:
    return Conversation(services.cast("en"))


async def test_nothing_of_a_turn_outlives_its_interruption() -> None:
    async with (
        FakeOpenAI(Scenario("text", text="word " * 500, token_delay_s=0.01)) as fake,
        open_services(
            Settings.model_validate(
                {"llm": {"name": "openai", "base_url": fake.url, "api_key": "k", "model": "m"}}
            )
        ) as services,
    ):
        conversation = conversation_on(services)
        running = asyncio.create_task(conversation.run())
        await conversation.ready()
        with conversation.program.subscribe("audio"), conversation.events.listen() as messages:
            # The first turn starts what lives as long as the conversation (voice, connections).
            await conversation.chat("one")
            await until_word(messages)
            await conversation.interrupt()
            await fake.wait_idle()
            await asyncio.sleep(0.3)
            before = names()
            await conversation.chat("two")
            await until_word(messages)
            assert len(names()) > len(before), "a turn at work has tasks of its own"
            await conversation.interrupt()
            await fake.wait_idle()
            for _ in range(50):
                if names() == before:
                    break
                await asyncio.sleep(0.02)
            assert names() == before, "survivors"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def names() -> list[str]:
    """What each task runs, numbers taken out of its name."""
    return sorted(
        getattr(task.get_coro(), "__qualname__", "?")
        for task in asyncio.all_tasks()
        if task is not asyncio.current_task()
    )


async def until_word(messages: asyncio.Queue[dict[str, object] | None]) -> None:
    async with asyncio.timeout(60):
        while (message := await messages.get()) is not None:
            if message["type"] == "word":
                return


async def test_closing_a_conversation_ends_everything_it_started() -> None:
    async with open_services(Settings()) as services:
        await asyncio.sleep(0.5)
        before = names()
        conversation = conversation_on(services)
        running = asyncio.create_task(conversation.run())
        await conversation.ready()
        with conversation.program.subscribe("video"):
            await conversation.chat("What is mien?")
            await asyncio.sleep(0.3)
        assert len(names()) > len(before)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.sleep(0.2)
        after = names()
        assert [name for name in after if name not in before] == []


async def test_a_pipeline_that_ends_by_itself_ends_the_conversation() -> None:
    async with open_services(Settings()) as services:
        conversation = conversation_on(services)
        running = asyncio.create_task(conversation.run())
        await conversation.ready()
        await conversation._pipeline._worker.cancel(reason="as a fatal error does")
        done, _ = await asyncio.wait([running], timeout=60)
        assert running in done and isinstance(running.exception(), ExceptionGroup)
        assert conversation.events.closed, "listeners are told"


async def test_the_phones_of_a_foreign_voice_are_found_by_listening() -> None:
    asked: list[MouthRequest] = []

    class Recorder(VisemeLipSync):
        def render(self, batch: Sequence[MouthRequest]) -> list[Mouth]:
            asked.extend(batch)
            return super().render(batch)

    voice, alignment = EspeakVoice(), ForcedAlignment()
    try:
        async with (
            open_services(Settings()) as services,
            aclosing(voice.speak([Run("en", "My baby brother bought a map.")])) as chunks,
        ):
            pcm = np.concatenate([chunk.pcm async for chunk in chunks])
            performer = Performer(services.avatar, Recorder(), ThreadPoolExecutor(1))
            frames: list[Frame] = [
                TurnFrame(1, 0),
                AggregatedTextFrame("My baby brother bought a map.", TextType.SENTENCE),
            ]
            for begin in range(0, len(pcm), 2205):
                piece = pcm[begin : begin + 2205].tobytes()
                frames.append(TTSAudioRawFrame(piece, voice.sample_rate, 1))
            stage = Stage(performer, lambda name: None, alignment, "en")
            await run_test(
                stage, frames_to_send=[*frames, LLMFullResponseEndFrame()], start_timeout=60
            )
            await play(performer, 60)
    finally:
        await voice.aclose()
        await alignment.aclose()
    speaking = [request for request in asked if request.audio.any()]
    by_text = [request for request in speaking if request.phones and covered(request.phones)]
    assert len(by_text) > 0.8 * len(speaking)
    told = {p.symbol for request in by_text for p in request.phones or ()}
    assert {"m", "b", "i"} <= told


async def test_captions_of_a_voice_that_tells_no_words_follow_what_is_heard() -> None:
    text = "My baby brother bought a big map of Berlin."
    voice = AlignedVoice(Mute(), ForcedAlignment())
    try:
        async with staged() as (performer, events):
            pipeline = Pipeline(
                [VoiceService(voice, "en"), Stage(performer, lambda stage: None, None, "en")]
            )
            frames = [
                TurnFrame(1, 0),
                ClauseFrame(text, TextType.SENTENCE, gestures=((len("My baby "), "nod"),)),
                LLMFullResponseEndFrame(),
            ]
            await run_test(pipeline, frames_to_send=frames, start_timeout=60)
            ticks = await play(performer, 90)
    finally:
        await voice.aclose()
    words = [
        (text[int(str(e.data["begin"])) : int(str(e.data["stop"]))], e)
        for e in events
        if e.name == "word"
    ]
    assert " ".join(word for word, _ in words) == text
    names = [event.data.get("name", event.name) for event in events]
    assert names.index("nod") == 1 + 2, "with its word, behind the clause and two others"
    told = [n for n, tick in enumerate(ticks) for event in tick.events if event.name == "word"]
    assert told == sorted(told) and told[-1] - told[0] > 30, "while it is said, not at once"
