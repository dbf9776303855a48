"""One question and its answer."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from pipecat.processors.aggregators.llm_context import LLMContext

from mien.events import Message
from mien.tools.contract import Source
from mien.trace import Trace


@dataclass(slots=True)
class Turn:
    """aside: it is no part of the conversation. proposal: the words it answers, if nobody is sure
    yet that they were said; such a turn is not heard, and nothing is told of it.

    clause: what sounds now. before: what was heard in front of it, without asides. ending: it is
    to end with the sentence that sounds. context: what the brain of a proposal was given. granted:
    set when it is no proposal (any more). sources: what the answer rests on. untold:
    what happened in a proposal, for when it is none.
    """

    number: int
    aside: bool = False
    trace: Trace = field(default_factory=Trace)
    proposal: str | None = None
    context: LLMContext | None = None
    clause: str = ""
    clause_is_aside: bool = False
    before: str = ""
    ending: bool = False
    spoke: bool = False
    sound_due: bool = False
    filler: asyncio.TimerHandle | None = None
    granted: asyncio.Event = field(default_factory=asyncio.Event)
    sources: tuple[Source, ...] = ()
    untold: list[Message] = field(default_factory=list)

    @property
    def told(self) -> str:
        """What was told so far, with the clause that sounds."""
        return self.before + ("" if self.clause_is_aside else self.clause)

    def sounds(self, mouth_at: float | None) -> None:
        """Its first sound leaves. mouth_at: when the newest first mouth was drawn."""
        self.sound_due = False
        if mouth_at is not None and mouth_at >= self.trace.start:  # else of an earlier turn
            self.trace.stamp("first_mouth", mouth_at)
        self.trace.stamp("first_packet")

    def close(self) -> None:
        """Nothing more is said in it."""
        self.close_filler()

    def close_filler(self) -> None:
        """The brain need not be excused."""
        if self.filler is not None:
            self.filler.cancel()


def same_words(one: str, other: str) -> bool:
    """Whether two transcripts say the same; recognisers change their mind about marks and case."""
    return _words(one) == _words(other)


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
