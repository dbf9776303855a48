"""What a brain tells of its tools and sources, put into messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeAlias

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from mien.events import Message
from mien.llm.frames import SourcesFrame, ToolFrame
from mien.stage import TurnFrame
from mien.tools.contract import Source

Research: TypeAlias = ToolFrame | SourcesFrame


class ResearchProcessor(FrameProcessor):
    """on_research: called with the turn and what its brain looks up or has found."""

    def __init__(self, on_research: Callable[[int, Research], None]) -> None:
        super().__init__()
        self._on_research = on_research
        self._turn = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, Research):
            self._on_research(self._turn, frame)
            if isinstance(frame, ToolFrame):
                return
        elif isinstance(frame, TurnFrame):
            self._turn = frame.turn
        await self.push_frame(frame, direction)


def told(frame: Research) -> Message:
    """The message for the page, without its turn."""
    if isinstance(frame, SourcesFrame):
        return {"type": "sources", "sources": shown(frame.sources)}
    return {
        "type": "tool",
        "call": frame.call,
        "tool": frame.tool,
        "label": dict(frame.label),
        "state": frame.state,
    }


def shown(sources: Sequence[Source]) -> list[Message]:
    """Sources as messages have them."""
    return [asdict(source) for source in sources]
