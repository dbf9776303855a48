"""The pipecat processor that cuts a streamed answer into clauses for the voice."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import (
    AggregatedTextFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import TextType

from mien.tts.segmenter import Segmenter


class ClauseProcessor(FrameProcessor):
    """LLMTextFrames in, one AggregatedTextFrame per clause out, as early as it can be spoken.

    on_stage: called with "llm_first_token" and "first_clause" once per answer.
    """

    def __init__(self, on_stage: Callable[[str], None]) -> None:
        super().__init__()
        self._segmenter = Segmenter()
        self._on_stage = on_stage
        self._seen: set[str] = set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self._stamp("llm_first_token")
            await self._push_clauses(self._segmenter.feed(frame.text))
            return
        if isinstance(frame, LLMFullResponseEndFrame):
            await self._push_clauses(self._segmenter.flush())
        elif isinstance(frame, InterruptionFrame | LLMFullResponseStartFrame):
            self._segmenter.reset()
            self._seen.clear()
        await self.push_frame(frame, direction)

    async def _push_clauses(self, clauses: list[str]) -> None:
        for clause in clauses:
            self._stamp("first_clause")
            await self.push_frame(AggregatedTextFrame(clause, TextType.SENTENCE))

    def _stamp(self, stage: str) -> None:
        if stage not in self._seen:
            self._seen.add(stage)
            self._on_stage(stage)
