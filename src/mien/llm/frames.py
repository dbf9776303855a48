"""What goes between a conversation and its brain besides pipecat's own frames."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipecat.frames.frames import DataFrame, LLMContextFrame

from mien.language import Language
from mien.tools.contract import Source


def _granted() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class AskFrame(LLMContextFrame):
    """A question to the brain. granted: set when it is sure that it was asked; until then only
    what nobody notices is done for it, no tool with effects.
    """

    granted: asyncio.Event = field(default_factory=_granted)


@dataclass
class ToolFrame(DataFrame):
    """A tool that the brain calls; it travels in order, as its turn does. call: unique in the
    turn. label: what it does, for people.
    """

    call: str
    tool: str
    label: Mapping[Language, str]
    state: Literal["begun", "done", "failed"]


@dataclass
class SourcesFrame(DataFrame):
    """All sources of the answer so far, see ``Source``."""

    sources: tuple[Source, ...]
