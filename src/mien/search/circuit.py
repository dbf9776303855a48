"""When a service is asked again: after failures later and later, and never too often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from mien.search.contract import SearchError

# The first rest is shorter than the turn of a conversation, so one lost packet costs no search; the
# last one short enough for a server that runs for weeks to notice that a service is back.
FIRST_REST_SEC = 5.0
LONGEST_REST_SEC = 300.0


class Circuit:
    """Whether a service is worth asking. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._rests_until = -math.inf
        self.error: SearchError | None = None
        """Why it failed last; None after a success."""

    @property
    def closed(self) -> bool:
        """Whether it may be asked."""
        return self._clock() >= self._rests_until

    def failed(self, error: SearchError) -> None:
        """Let it rest: for ever if it will not work with these settings, else longer each time."""
        self.error = error
        rest = min(FIRST_REST_SEC * 2.0**self._failures, LONGEST_REST_SEC)
        self._failures = min(self._failures + 1, 16)
        rest = max(rest, error.rest_sec or 0) if error.retryable else math.inf
        self._rests_until = self._clock() + rest

    def succeeded(self) -> None:
        """It works; earlier failures are forgotten."""
        self._failures = 0
        self.error = None


class Pace:
    """A request at most every ``pause_sec``; whoever comes too early is told how long to wait."""

    def __init__(self, pause_sec: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_sec = pause_sec
        self._clock = clock
        self._free_at = -math.inf

    def reserve(self, patience_sec: float) -> float | None:
        """Seconds until our request may begin; None when that is more than ``patience_sec``."""
        now = self._clock()
        begin = max(now, self._free_at)
        if begin - now > patience_sec:
            return None
        self._free_at = begin + self._pause_sec
        return begin - now
