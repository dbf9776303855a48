"""A circuit breaker: what has just failed is left alone for a while, then tried once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, Literal, Protocol, TypeVar

# A server that is started again is back within seconds; one that stays away is asked less and
# less often, and still found within five minutes of its return.
FIRST_PAUSE_SEC, LONGEST_PAUSE_SEC = 10.0, 300.0
# What a person must put right takes longer. Not five minutes at once: some servers refuse a single
# odd text in the same words.
FIRST_LONG_PAUSE_SEC = 60.0


class Failure(Protocol):
    """VoiceError, AsrError: one that says whether it may go better next time."""

    retryable: bool


Fault = TypeVar("Fault", bound=Failure)


class Breaker(Generic[Fault]):
    """Of one voice, or one recogniser. Closed: it is used. Open: it is not, for a pause that grows.

    After the pause it may be looked at (``begin_check``); if it looks well it is half open, and
    one clause tries it (``begin_trial``).

    error: why it is not closed; None while it is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: in seconds."""
        self.error: Fault | None = None
        self._clock = clock
        self._until = 0.0
        self._pause = 0.0
        self._state: Literal["closed", "open", "checked", "half-open", "tried"] = "closed"

    @property
    def usable(self) -> bool:
        """Whether a clause may be given to it: it is closed, or half open and not being tried."""
        return self._state in ("closed", "half-open")

    @property
    def due(self) -> bool:
        """Whether it is open and its pause is over."""
        return self._state == "open" and self._clock() >= self._until

    def begin_check(self) -> None:
        """Somebody looks at it; ``end_check`` or ``failed`` tells what they saw."""
        self._state = "checked"

    def end_check(self) -> None:
        """It looks well: half open."""
        if self._state == "checked":
            self._state = "half-open"

    def begin_trial(self) -> None:
        """A clause is given to it; one at a time while it is half open."""
        if self._state == "half-open":
            self._state = "tried"

    def end_trial(self) -> None:
        """The clause was given up without telling anything; after ``failed`` without effect."""
        if self._state == "tried":
            self._state = "half-open"

    def succeeded(self) -> None:
        """It works: closed."""
        self.error, self._state, self._pause = None, "closed", 0.0

    def failed(self, error: Fault) -> None:
        """It does not: open, for twice as long as last time.

        What a person must put right first is left alone for longer from the beginning. Clauses
        that fail together count as one.
        """
        if self._state == "open" and self._clock() < self._until:
            return
        first = FIRST_PAUSE_SEC if error.retryable else FIRST_LONG_PAUSE_SEC
        self._pause = min(LONGEST_PAUSE_SEC, max(first, 2 * self._pause))
        self._until = self._clock() + self._pause
        self.error, self._state = error, "open"
