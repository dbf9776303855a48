"""The pipecat pipeline of a conversation: brain, clauses, voice, stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger
from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from mien.cast import Cast
from mien.language import Language
from mien.moderation.answers import AnswerFilter
from mien.moderation.contract import Verdict
from mien.performer import Performer
from mien.problems import Problem, problem_of
from mien.research import Research, ResearchProcessor
from mien.stage import Stage
from mien.tts.clauses import ClauseProcessor
from mien.tts.service import VoiceService


class SpeechPipeline:
    """Runs until cancelled.

    on_stage: called with the stages of a turn's trace as they are passed. on_problem: with what
    goes wrong without ending anything. on_research: with the turn and what its brain looks up.
    """

    def __init__(
        self,
        cast: Cast,
        voice: VoiceService,
        performer: Performer,
        on_stage: Callable[[str], None],
        on_problem: Callable[[Problem], None],
        on_research: Callable[[int, Research], None],
    ) -> None:
        self._cast = cast
        self._voice = voice
        self._stage = Stage(performer, on_stage, cast.alignment, cast.language)
        self._on_problem = on_problem
        self._ready = asyncio.Event()
        pipeline = Pipeline(
            [
                cast.brain,
                ResearchProcessor(on_research),
                ClauseProcessor(on_stage),
                *self._filters(),
                voice,
                self._stage,
            ]
        )
        self._worker = PipelineWorker(
            pipeline,
            params=PipelineParams(audio_out_sample_rate=cast.voice.sample_rate),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            check_dangling_tasks=False,
        )
        self._worker.add_event_handler("on_pipeline_started", self._on_started)
        self._worker.add_event_handler("on_pipeline_error", self._on_error)

    def _filters(self) -> list[FrameProcessor]:
        if self._cast.moderator is None:
            return []
        return [AnswerFilter(self._cast.moderator, self._cast.language, self._on_blocked)]

    def speak(self, language: Language) -> None:
        """Take words that may be of any language, such as numbers, for this one's."""
        self._voice.language = self._stage.language = language

    async def run(self) -> None:
        """Raises RuntimeError when the pipeline ends by itself."""
        runner = WorkerRunner(handle_sigint=False, handle_sigterm=False, check_dangling_tasks=False)
        await runner.add_workers(self._worker)
        await runner.run()
        task = asyncio.current_task()
        if task is not None and not task.cancelling():  # the runner swallows its cancellation
            raise RuntimeError("the pipeline ended by itself; its error is logged above")

    async def ready(self) -> None:
        """Wait until it takes text."""
        await self._ready.wait()

    async def queue(self, *frames: Frame) -> None:
        """Put in at its beginning."""
        for frame in frames:
            await self._worker.queue_frame(frame)

    async def _on_started(self, worker: PipelineWorker, frame: Frame) -> None:
        self._ready.set()

    async def _on_error(self, worker: PipelineWorker, frame: ErrorFrame) -> None:
        problem = problem_of(frame)
        logger.warning(f"{problem.code}: {frame.error}")
        self._on_problem(problem)

    def _on_blocked(self, verdict: Verdict) -> None:
        problem = Problem(
            "answer_blocked",
            f"An answer was not spoken to its end: {verdict.code}.",
            f"回答未能全部播出：{verdict.code}。",
            stage="llm",
        )
        logger.warning(problem.en)
        self._on_problem(problem)
