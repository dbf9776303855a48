"""The seam for whoever decides what may be asked and said: a word list, a model, a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Verdict:
    """allowed: whether it may be used. code: why not, for logs and figures, e.g. "blocked_word"."""

    allowed: bool
    code: str = ""


ALLOWED = Verdict(True)


class Moderator(Protocol):
    """Judges both sides. Called on the event loop, for every message and every clause: quickly.

    Who raises instead of judging has not allowed it.
    """

    async def judge_message(self, author: str, text: str) -> Verdict:
        """Whether a viewer's message may be answered and shown, by its text and its name."""
        ...

    async def judge_answer(self, text: str) -> Verdict:
        """Whether the end of what is being said may be spoken; what is before it has been."""
        ...
