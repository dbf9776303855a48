"""A running order: what a host says, in which order, how often and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from mien.live.hours import Hours

# Seconds of rest after an item that names none.
USUAL_PAUSE_SEC = 2.0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to say.

    number: in the file, from 1. texts: one of them each time, in turn or shuffled. ask: given to
        the brain, whose answer is said; a text is then only said when the brain fails.
    pause: seconds of rest afterwards. times: in a row. every_rounds: only in each n-th round.
    every_sec: also in between, as soon as it has not been said for so long. hours: when at all.
    """

    number: int
    texts: tuple[str, ...] = ()
    ask: str = ""
    name: str = ""
    pause: float = USUAL_PAUSE_SEC
    times: int = 1
    every_rounds: int = 1
    every_sec: float | None = None
    shuffled: bool = False
    hours: Hours = field(default_factory=Hours)

    @property
    def key(self) -> str:
        """What stays the same when the file is edited elsewhere."""
        return self.name or self.ask or self.texts[0]

    @property
    def label(self) -> str:
        """For people: its name, or how it begins."""
        words = self.name or self.ask or self.texts[0]
        return words if len(words) <= 40 else words[:39].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class RunningOrder:
    """title: for people. about: what the brain should know. greeting, closing: said when it begins
    and ends, each day anew where there are hours. zone: of all hours; None is the machine's."""

    items: tuple[Item, ...]
    title: str = ""
    about: str = ""
    greeting: str = ""
    closing: str = ""
    loop: bool = True
    shuffled: bool = False
    hours: Hours = field(default_factory=Hours)
    zone: ZoneInfo | None = None
