"""The pipecat processor that cuts a streamed answer into clauses for the voice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipecat.frames.frames import (
    AggregatedTextFrame,
    DataFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    SystemFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import TextType

from mien.llm.frames import SourcesFrame
from mien.tts.citations import CitationFilter
from mien.tts.segmenter import Clause, Segmenter


@dataclass
class ClauseFrame(AggregatedTextFrame):
    """A clause, without tags; an ordinary AggregatedTextFrame to everybody else.

    gestures: see ``Clause``. They stay with the frame because pipecat's TTS services pass on the
    frame they were given, in front of its sound. aside: it is no part of the answer.
    """

    gestures: tuple[tuple[int, str], ...] = ()
    aside: bool = False


@dataclass
class AsideFrame(SystemFrame):
    """Something to say at once, while a model is still looking for its words; it passes the model
    as ordinary frames cannot.
    """

    text: str


@dataclass
class GestureFrame(DataFrame):
    """A gesture for when everything in front of it has been said."""

    gesture: str


class ClauseProcessor(FrameProcessor):
    """LLMTextFrames in, one ClauseFrame per clause out, as early as it can be spoken; marks of
    sources and addresses are left out.

    on_stage: called with "llm_first_token" and "first_clause" once per answer.
    """

    def __init__(self, on_stage: Callable[[str], None]) -> None:
        super().__init__()
        self._segmenter = Segmenter()
        self._citations = CitationFilter()
        self._on_stage = on_stage
        self._seen: set[str] = set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self._stamp("llm_first_token")
            await self._push_clauses(self._segmenter.feed(self._citations.feed(frame.text)))
            return
        if isinstance(frame, SourcesFrame):
            self._citations.sources = len(frame.sources)
            return
        if isinstance(frame, AsideFrame):
            await self.push_frame(ClauseFrame(frame.text, TextType.SENTENCE, aside=True))
            return
        if isinstance(frame, LLMFullResponseEndFrame):
            rest = self._segmenter.feed(self._citations.flush())
            await self._push_clauses([*rest, *self._segmenter.flush()])
        elif isinstance(frame, InterruptionFrame | LLMFullResponseStartFrame):
            self._segmenter.reset()
            self._citations.reset()
            self._citations.sources = 0
            self._seen.clear()
        await self.push_frame(frame, direction)

    async def _push_clauses(self, clauses: Sequence[Clause]) -> None:
        for clause in clauses:
            if clause.text.strip():
                self._stamp("first_clause")
                await self.push_frame(
                    ClauseFrame(clause.text, TextType.SENTENCE, gestures=clause.gestures)
                )
                continue
            # No service speaks a blank: its gestures come after what was said last.
            for _, name in clause.gestures:
                await self.push_frame(GestureFrame(name))

    def _stamp(self, stage: str) -> None:
        if stage not in self._seen:
            self._seen.add(stage)
            self._on_stage(stage)
