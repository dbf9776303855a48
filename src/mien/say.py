"""``mien say``: a performance without a clock, as fast as it can be drawn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler

from mien.avatar.contract import Avatar
from mien.label.label import label_of
from mien.language import Language
from mien.media.file import FileWriter
from mien.media.speech import SpeechChunk
from mien.media.tick import FPS, SAMPLE_RATE, Tick
from mien.media.tick_plan import TickPlan
from mien.media.timeline import Timeline
from mien.painter import Painter
from mien.services import Services
from mien.tts.normalize import prepare
from mien.tts.segmenter import Clause, Segmenter
from mien.tts.service import words_as_written
from mien.tts.voice import Run

# A breath before and after, so that a player's fade does not eat the first syllable.
LEAD_IN_TICKS, TAIL_TICKS = FPS // 5, FPS // 2
# Large enough to keep drawing and encoding busy side by side, small enough to stay in cache.
BATCH_TICKS = 12


async def speak_text(
    services: Services,
    text: str,
    language: Language,
    on_progress: Callable[[float], None],
    on_speaker: Callable[[str], None] = lambda name: None,
) -> AsyncIterator[SpeechChunk]:
    """The clauses of ``text`` in the configured voice. Progress is 0…1 of the text.

    on_speaker: called with a voice's name when it speaks and another one did before.
    """
    speaker = services.voice.name
    segmenter = Segmenter()
    clauses = [*segmenter.feed(text), *segmenter.flush()]
    done = 0
    rate = services.voice.sample_rate
    for number, clause in enumerate(clauses):
        prepared = await asyncio.to_thread(prepare, clause.text, language, services.lexicon)
        if not prepared.empty:
            runs = [Run(run.language, run.text) for run in prepared.runs]
            async with aclosing(services.voice.speak(runs)) as pieces:
                async for piece in pieces:
                    if piece.by != speaker:
                        on_speaker(speaker := piece.by)
                    words = words_as_written(piece.words, prepared)
                    yield SpeechChunk(
                        0,
                        number,
                        clause.text,
                        piece.pcm,
                        rate,
                        piece.phones,
                        words,
                        gestures=clause.gestures,
                    )
        yield _end(number, clause, rate)
        done += len(clause.text)
        on_progress(done / max(1, len(text)))


async def speak_file(
    path: Path, on_progress: Callable[[float], None]
) -> AsyncIterator[SpeechChunk]:
    """Any sound file's audio, instead of a voice's.

    Raises:
        ValueError: when it is no sound file; OSError when it cannot be read.
    """
    try:
        container = av.open(str(path))
        stream = container.streams.audio[0]
    except (av.error.InvalidDataError, IndexError) as error:
        raise ValueError(f"{path.name} has no sound that can be read") from error
    resampler = AudioResampler("s16", "mono", SAMPLE_RATE)
    total = float(container.duration or 0) / 1_000_000
    with container:
        for frame in container.decode(stream):
            for part in resampler.resample(frame):
                pcm = np.ascontiguousarray(part.to_ndarray()[0], np.int16)
                yield SpeechChunk(0, 0, "", pcm, SAMPLE_RATE)
            if total:
                on_progress(min(1.0, (frame.time or 0.0) / total))
    yield _end(0, Clause(""), SAMPLE_RATE)


def _end(number: int, clause: Clause, rate: int) -> SpeechChunk:
    silence = np.zeros(0, np.int16)
    return SpeechChunk(
        0, number, clause.text, silence, rate, (), last=True, gestures=clause.gestures
    )


async def perform(
    services: Services, speech: AsyncIterator[SpeechChunk], transparent: bool = False
) -> AsyncIterator[Tick]:
    """Ticks of the speech from breath to breath; nothing waits for a clock.

    transparent: their pictures are uint8[H, W, 4] RGBA, straight alpha, of the figure alone.
    """
    lipsync = services.lipsync
    timeline = Timeline(lipsync.sample_rate, lipsync.context)
    avatar = Cutout(services.avatar) if transparent else services.avatar
    stage = _OfflineStage(Painter(avatar, lipsync, seed=0), timeline, services.executor)
    async for tick in stage.ticks(LEAD_IN_TICKS):
        yield tick
    async for chunk in speech:
        timeline.say(chunk)
        while timeline.speech_ready:
            async for tick in stage.ticks(BATCH_TICKS, only_speech=True):
                yield tick
    async for tick in stage.ticks(TAIL_TICKS):
        yield tick


class Cutout:
    """An avatar seen without its background. Raises ValueError for one that has no outline."""

    def __init__(self, avatar: Avatar) -> None:
        self.name, self.size, self.life = avatar.name, avatar.size, avatar.life
        self.has_outline, self.cutout = avatar.has_outline, avatar.cutout
        if not self.has_outline:
            raise ValueError(
                f"avatar {avatar.name!r} fills its picture and cannot be transparent; "
                "choose a presenter: --avatar mei"
            )
        self.compose = avatar.cutout


class _OfflineStage:
    def __init__(self, painter: Painter, timeline: Timeline, executor: Executor) -> None:
        self._painter = painter
        self._timeline = timeline
        self._executor = executor

    async def ticks(self, count: int, only_speech: bool = False) -> AsyncIterator[Tick]:
        batch: list[TickPlan] = []
        while len(batch) < count and (not only_speech or self._timeline.speech_ready):
            batch.append(self._timeline.plan())
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._painter.paint, batch, "idle")
        for _ in batch:
            plan = self._timeline.emit()
            assert plan.image is not None
            yield Tick(plan.index, plan.image, plan.audio, plan.generation, tuple(plan.events))


async def write_file(
    services: Services,
    speech: AsyncIterator[SpeechChunk],
    path: Path,
    transparent: bool = False,
    language: Language = "zh",
) -> float:
    """Perform ``speech`` into ``path``. Returns its length in seconds. language: of the label.

    Drawing runs one batch ahead of encoding, each in its own thread.
    """
    queue: asyncio.Queue[Tick | None] = asyncio.Queue(2 * BATCH_TICKS)

    async def draw() -> None:
        async for tick in perform(services, speech, transparent):
            await queue.put(tick)
        await queue.put(None)

    label = label_of(services.settings.label, language, lambda: services.avatar)
    with FileWriter(path, services.avatar.size, transparent, label) as writer:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(draw(), name="draw")
                while (tick := await queue.get()) is not None:
                    await asyncio.to_thread(writer.write, tick)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # callers know what one thing can go wrong
    return writer.seconds
