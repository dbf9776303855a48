"""Clocks a performance can run on."""

from __future__ import annotations

import time
from typing import Protocol

from mien.media.tick import TICK_SEC


class Clock(Protocol):
    """Says when a tick is due. Times are seconds of ``time.monotonic()``."""

    def start(self) -> None:
        """Tick 0 is due now."""
        ...

    def delay(self, index: int) -> float:
        """Seconds from now until tick ``index`` is due; negative when it is late."""
        ...


class WallClock:
    """Real time. Deadlines come from the start time, never from accumulated sleeps."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def start(self) -> None:
        self._start = time.monotonic()

    def delay(self, index: int) -> float:
        return self._start + index * TICK_SEC - time.monotonic()
