"""A pipecat TTS service at work outside any conversation's pipeline, in a small one of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import aiohttp
import numpy as np
from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import (
    ControlFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.tts_service import TTSService, WebsocketTTSService
from pipecat.workers.runner import WorkerRunner

from mien.media.tick import Pcm
from mien.pipecat_alone import may_pass, pipeline_of
from mien.tts.http import failure
from mien.tts.pipecat_catalog import Recipe
from mien.tts.voice import VoiceError

# What pipecat itself uses if nobody says otherwise, and thus what every service is tried with.
# Some label their sound with the pipeline's rate whatever it really is.
_RATE = 24_000
# A service that does not take note of an interruption is left to its fate.
_HUSH_SEC = 1.0
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sound:
    """int16[n] mono at ``rate`` Hz."""

    pcm: Pcm
    rate: int


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as the service reports it, ``start`` seconds from the clause's first sample.

    rest: it is all that the service never timed, told with the time of the last word.
    """

    text: str
    start: float
    rest: bool = False


@dataclass
class _ClauseEnd(ControlFrame):
    """Travels behind a clause's text; where it arrives, everything of the clause is there."""

    clause: _Clause | None = None


@dataclass(slots=True, eq=False)
class _Clause:
    """What is heard of the clause that is being said; None at its end."""

    heard: asyncio.Queue[Sound | TimedWord | VoiceError | None] = field(
        default_factory=asyncio.Queue
    )
    context: str | None = None
    sounded: bool = False
    stopped: bool = False
    last_pts: int = -1


class _ClauseClock(BaseClock):
    """Stands still while a clause is said, at a time that is later than everything before.

    pipecat adds a word's time to the clock's when the clause's sound begins, or to that of the
    last word if it is later. So the clock's time is what has to be subtracted again.
    """

    def __init__(self) -> None:
        self.now = self.latest = 0

    def next_clause(self) -> None:
        self.now = max(self.now, self.latest) + _NANOSECONDS

    def start(self) -> None:
        pass

    def get_time(self) -> int:
        return self.now


class Host:
    """One service, saying one clause at a time. Belongs to the event loop it starts in."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._name = recipe.service.__name__
        self._service: TTSService | None = None
        self._session: aiohttp.ClientSession | None = None
        self._worker: PipelineWorker | None = None
        self._runner: WorkerRunner | None = None
        self._running: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._hushed = asyncio.Event()
        self._clock = _ClauseClock()
        self._clause: _Clause | None = None
        self._past: deque[str] = deque(maxlen=8)
        self._fault: VoiceError | None = None
        self._making = asyncio.Lock()
        self._ending = False

    @property
    def usable(self) -> bool:
        """Whether it can say another clause."""
        alive = self._running is not None and not self._running.done()
        return alive and not self._ending and self._fault is None

    async def start(self) -> None:
        """Make the service and connect it.

        Raises:
            VoiceError: when it cannot be made, or fails already. It must be closed then, too.
        """
        async with self._making:
            if self._recipe.wants_session:
                self._session = aiohttp.ClientSession()
            self._service = await self._make()
        if self._ending:
            raise VoiceError("the voice was closed", retryable=False, zh="这个声音已经关闭")
        self._service.add_event_handler("on_connected", self._on_connected)
        self._worker, self._runner = await pipeline_of(
            self._service,
            self._see_upstream,
            self._see,
            PipelineParams(audio_out_sample_rate=_RATE),
            clock=self._clock,
        )
        self._running = asyncio.create_task(self._run(self._runner), name=f"pipecat {self._name}")
        await self._started.wait()
        if self._fault is not None:
            raise self._fault

    async def _make(self) -> TTSService:
        try:
            return await asyncio.to_thread(self._recipe.build, self._session)
        except VoiceError as error:
            if "event loop" not in str(error):
                raise
            return self._recipe.build(self._session)  # one that needs the loop's thread

    async def _run(self, runner: WorkerRunner) -> None:
        try:
            await runner.run()
        finally:
            self.fail(
                VoiceError(
                    f"{self._name} ended by itself", retryable=True, zh=f"{self._name} 自行退出了"
                )
            )
            self._started.set()

    async def say(self, text: str) -> AsyncGenerator[Sound | TimedWord, None]:
        """One clause. If it is not heard to its end, ``hush`` must follow.

        Raises:
            VoiceError: when the service fails; afterwards it cannot be used any more.
        """
        assert self._worker is not None
        if self._fault is not None:
            raise self._fault
        clause = self._clause = _Clause()
        self._clock.next_clause()
        await self._worker.queue_frame(TTSSpeakFrame(text, append_to_context=False))
        await self._worker.queue_frame(_ClauseEnd(clause))
        try:
            while (heard := await clause.heard.get()) is not None:
                if isinstance(heard, VoiceError):
                    raise heard
                yield heard
        finally:
            self._clause = None
            if clause.context is not None:
                self._past.append(clause.context)

    async def hush(self) -> None:
        """Fall silent; what is still on its way of the clause is never heard.

        Afterwards it is ``usable`` again unless it did not obey.
        """
        assert self._worker is not None
        self._hushed.clear()
        await self._worker.queue_frame(InterruptionFrame())
        try:
            async with asyncio.timeout(_HUSH_SEC):
                await self._hushed.wait()
        except TimeoutError:
            why = f"{self._name} does not stop"
            self.fail(VoiceError(why, retryable=True, zh=f"{self._name} 停不下来"))

    def fail(self, why: VoiceError) -> None:
        """Nothing more can be expected of it; a clause under way ends with this."""
        if self._fault is None:
            self._fault = why
            if self._clause is not None:
                self._clause.heard.put_nowait(why)

    async def aclose(self) -> None:
        """End service and pipeline. Works before the start and twice."""
        self._ending = True
        async with self._making:  # in a thread, which nothing can stop
            pass
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cancel()
        if self._running is not None:
            await asyncio.wait([self._running])
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- what the pipeline says ----------------------------------------------------------

    def _see_upstream(self, frame: Frame) -> None:
        if isinstance(frame, ErrorFrame):
            self.fail(
                VoiceError(
                    f"{self._name}: {frame.error}",
                    retryable=may_pass(frame),
                    zh=f"{self._name} 出错：{frame.error}",
                )
            )

    def _see(self, frame: Frame) -> None:
        clause = self._clause
        if isinstance(frame, StartFrame):
            self._started.set()
        elif isinstance(frame, InterruptionFrame):
            self._hushed.set()
        elif isinstance(frame, _ClauseEnd):
            if clause is not None and frame.clause is clause:
                clause.heard.put_nowait(self._verdict(clause))
        elif clause is not None and self._belongs(frame, clause):
            self._hear(frame, clause)

    def _belongs(self, frame: Frame, clause: _Clause) -> bool:
        context: str | None = getattr(frame, "context_id", None)
        if context is None:
            return True
        if clause.context is None and context not in self._past:
            clause.context = context
        return context == clause.context

    def _hear(self, frame: Frame, clause: _Clause) -> None:
        if isinstance(frame, TTSAudioRawFrame):
            if frame.audio:
                clause.sounded = True
                clause.heard.put_nowait(Sound(_pcm(frame), frame.sample_rate))
        elif isinstance(frame, TTSTextFrame) and frame.pts:
            start = (frame.pts - self._clock.now) / _NANOSECONDS
            if start >= 0:
                rest = frame.pts == clause.last_pts
                clause.heard.put_nowait(TimedWord(frame.text, start, rest))
                clause.last_pts = frame.pts
            self._clock.latest = max(self._clock.latest, frame.pts)
        elif isinstance(frame, TTSStoppedFrame):
            clause.stopped = True

    def _verdict(self, clause: _Clause) -> VoiceError | None:
        """None if the clause is complete."""
        if self._fault is not None:
            return self._fault
        if not clause.sounded:
            return failure.silent(self._name, "no sound")
        if isinstance(self._service, WebsocketTTSService) and not clause.stopped:
            return failure.cut_off(self._name, EOFError("it did not say that it was complete"))
        return None

    async def _on_connected(self, *_: object) -> None:
        # Some connect again when a server leaves, and lose what was left of the clause.
        if self._clause is not None and self._clause.sounded:
            self.fail(failure.cut_off(self._name, ConnectionResetError("the connection was lost")))


def _pcm(frame: TTSAudioRawFrame) -> Pcm:
    pcm = np.frombuffer(frame.audio[: len(frame.audio) // 2 * 2], np.int16)
    if frame.num_channels > 1:
        whole = len(pcm) // frame.num_channels * frame.num_channels
        pcm = pcm[:whole].reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
    return pcm
