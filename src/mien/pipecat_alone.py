"""A pipecat service at work outside any conversation: what voices and recognisers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.errors import ErrorCategory, classify_http_exception
from pipecat.workers.runner import WorkerRunner

# A service that does not take note of its end is left to its fate.
_END_SEC = 2.0
See = Callable[[Frame], None]


class _Tap(FrameProcessor):
    """Sees what passes, at once (direct mode) and so in the order in which it was pushed."""

    def __init__(self, see: See) -> None:
        super().__init__(enable_direct_mode=True)
        self._see = see

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self._see(frame)
        await self.push_frame(frame, direction)


async def pipeline_of(
    service: FrameProcessor, upstream: See, downstream: See, params: PipelineParams, **more: Any
) -> tuple[PipelineWorker, WorkerRunner]:
    """A pipeline with ``service`` alone, to be run by the second of what it returns.

    upstream, downstream: see what the service says in that direction. more: of ``PipelineWorker``.
    """
    worker = PipelineWorker(
        Pipeline([_Tap(upstream), service, _Tap(downstream)]),
        params=params,
        cancel_timeout_secs=_END_SEC,
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
        check_dangling_tasks=False,
        **more,
    )
    runner = WorkerRunner(handle_sigint=False, handle_sigterm=False, check_dangling_tasks=False)
    await runner.add_workers(worker)
    return worker, runner


def may_pass(frame: ErrorFrame) -> bool:
    """Whether it may go better next time."""
    category = frame.category
    if category in (None, ErrorCategory.UNKNOWN) and frame.exception is not None:
        category = classify_http_exception(frame.exception)
    return category is None or not category.is_permanent
