"""How a live host behaves, beside what its running order says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Of a message: 0 to 10. What costs the viewer money stands above what anybody can write.
CHATTER, QUESTION, PAID, HIGHEST = 3, 5, 8, 10
NEVER = 11


@dataclass(frozen=True, slots=True)
class LiveRules:
    """interrupt_for: from this priority on a message does not wait for the end of an item; 11 is
    never. interrupt: where the item stops for it. resume: what of the item follows the answer.
    answers_between: how many messages are answered before the running order has its turn again.
    queue: messages that wait at most. max_age_sec: how long one may wait. max_chars: of a message.
    per_author, per_minute: messages taken per minute, from one and from all. repeat_sec: for so
    long nobody is answered the same thing again.
    """

    interrupt_for: int = PAID
    interrupt: Literal["sentence", "now"] = "sentence"
    resume: Literal["rest", "repeat", "skip"] = "rest"
    answers_between: int = 3
    queue: int = 50
    max_age_sec: float = 180.0
    max_chars: int = 200
    per_author: float = 4.0
    per_minute: float = 30.0
    repeat_sec: float = 60.0
