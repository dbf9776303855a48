"""A pipecat STT service at work outside any conversation's pipeline, in a small one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterimTranscriptionFrame,
    StartFrame,
    STTMetadataFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.stt_service import STTService
from pipecat.workers.runner import WorkerRunner

from mien.asr.contract import AsrError
from mien.media.microphone import RATE
from mien.pipecat_alone import may_pass, pipeline_of
from mien.pipecat_catalog import Recipe

OnWords = Callable[[str, bool, bool], None]
"""Of one stretch of speech: its words, whether they are settled, and whether they are the last that
the service has for what it heard."""


class Host:
    """One service, for one microphone. What is sent before it has started waits.

    latency_sec: how long after the end of speech the service's last words come, as pipecat has
    measured it. fault: why nothing can be expected of it any more.
    """

    def __init__(
        self,
        recipe: Recipe[STTService],
        on_words: OnWords,
        on_fault: Callable[[AsrError], None],
    ) -> None:
        self.latency_sec = 1.0
        self.fault: AsrError | None = None
        self._recipe = recipe
        self._name = recipe.service.__name__
        self._on_words = on_words
        self._on_fault = on_fault
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._started = asyncio.Event()
        self._ending = False
        self._session: aiohttp.ClientSession | None = None
        self._running = asyncio.create_task(self._run(), name=f"pipecat {self._name}")

    def send(self, frame: Frame) -> None:
        self._frames.put_nowait(frame)

    async def started(self) -> None:
        """Wait until what is sent goes to the service, or there is a fault."""
        await self._started.wait()

    async def aclose(self) -> None:
        """End service and pipeline. Works before the start and twice."""
        self._ending = True
        self._running.cancel()
        await asyncio.wait([self._running])

    async def _run(self) -> None:
        runner: WorkerRunner | None = None
        running: asyncio.Task[None] | None = None
        try:
            if self._recipe.wants_session:
                self._session = aiohttp.ClientSession()
            service = await self._make()
            worker, runner = await pipeline_of(
                service,
                self._see_upstream,
                self._see,
                PipelineParams(audio_in_sample_rate=RATE),
            )
            running = asyncio.create_task(runner.run(), name=f"pipeline of {self._name}")
            forwarding = asyncio.create_task(self._forward(worker), name=f"sound to {self._name}")
            try:
                await asyncio.wait({running})
            finally:
                forwarding.cancel()
                await asyncio.wait({forwarding})
            self._fail(f"{self._name} ended by itself", f"{self._name} 自行退出了", True)
        except AsrError as error:
            self._set(error)
        finally:
            if runner is not None and running is not None and not running.done():
                await runner.cancel()
                await asyncio.wait({running})
            if self._session is not None:
                await self._session.close()

    async def _make(self) -> STTService:
        building = asyncio.ensure_future(asyncio.to_thread(self._recipe.build, self._session))
        try:
            return await asyncio.shield(building)
        except asyncio.CancelledError:
            await asyncio.wait({building})  # a thread, which nothing can stop
            raise
        except AsrError as error:
            if "event loop" not in str(error):
                raise
            return self._recipe.build(self._session)  # one that needs the loop's thread

    async def _forward(self, worker: PipelineWorker) -> None:
        await self.started()
        while True:
            await worker.queue_frame(await self._frames.get())

    def _see_upstream(self, frame: Frame) -> None:
        if isinstance(frame, ErrorFrame):
            self._fail(
                f"{self._name}: {frame.error}", f"{self._name} 出错：{frame.error}", may_pass(frame)
            )

    def _see(self, frame: Frame) -> None:
        if isinstance(frame, StartFrame):
            self._started.set()
        elif isinstance(frame, STTMetadataFrame):
            self.latency_sec = frame.ttfs_p99_latency
        elif self._ending:
            pass
        elif isinstance(frame, InterimTranscriptionFrame):
            self._on_words(frame.text, False, False)
        elif isinstance(frame, TranscriptionFrame):
            self._on_words(frame.text, True, bool(frame.finalized))

    def _fail(self, why: str, zh: str, retryable: bool) -> None:
        self._set(AsrError(why, zh=zh, retryable=retryable))

    def _set(self, error: AsrError) -> None:
        if self.fault is None and not self._ending:
            self.fault = error
            self._started.set()
            self._on_fault(error)
