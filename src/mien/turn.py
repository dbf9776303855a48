"""One question and its answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipecat.processors.aggregators.llm_context import LLMContext

from mien.events import Message, utf16_length
from mien.llm.frames import SourcesFrame
from mien.research import Research, shown, told
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

    def accept(self, trace: Trace) -> None:
        """It is no proposal any more. trace: of what was heard meanwhile."""
        made, self.trace = self.trace, trace
        trace.adopt(made)
        self.proposal = self.context = None
        self.granted.set()

    def begin_clause(self, text: str, aside: bool) -> None:
        """It sounds from now on."""
        self.close_filler()  # an aside of the brain's own fills the wait already
        self.before = self.told
        self.clause, self.clause_is_aside = text, aside
        if not self.spoke and not aside:
            self.spoke = self.sound_due = True

    def word(self, data: Mapping[str, object]) -> Message:
        """What people are told of a word that sounds; places as JavaScript counts them."""
        begin, stop = (utf16_length(self.clause[: int(str(data[at]))]) for at in ("begin", "stop"))
        return {"clause": data["clause"], "begin": begin, "stop": stop}

    def answer(self, heard: str, complete: bool) -> Message:
        """For the history."""
        resting = {"sources": shown(self.sources)} if self.sources else {}
        said = {"role": "assistant", "text": heard, "turn": self.number}
        return {**said, "complete": complete, **resting}

    def learn(self, frame: Research) -> Message | None:
        """Its brain looks something up, or has found it. Returns what people are told of it."""
        self.close_filler()  # what it says itself, if anything, is better
        message = {"turn": self.number, **told(frame)}
        if isinstance(frame, SourcesFrame):
            self.sources = frame.sources
        if self.proposal is None:
            return message
        self.untold.append(message)
        return None

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
