"""From pictures at any times to pictures at even ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

CLOSE = 1e-6  # seconds; files give times in milliseconds or finer


def resampled(
    timed: Iterable[tuple[float, float, T]], start: float | None, rate: int
) -> Iterator[T]:
    """At each ``start + k / rate`` the picture nearest in time.

    timed: (time, duration, picture), seconds, times ascending. start: None = the first time.
    Each instant is counted from ``start``, so that nothing adds up over a long clip. The last
    picture stays for its own duration.
    """
    k = 0
    held: tuple[float, float, T] | None = None
    for at, span, picture in timed:
        start = at if start is None else start
        if held is not None:
            middle = (held[0] + at) / 2
            while start + k / rate <= middle + CLOSE:
                yield held[2]
                k += 1
        held = at, span, picture
    if held is None or start is None:
        return
    end = held[0] + held[1] - 0.5 / rate
    while start + k / rate < end - CLOSE:
        yield held[2]
        k += 1
