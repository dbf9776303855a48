"""When each phone of the speech is heard, as far as it is known by now."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from mien.media.speech import Phone

_SAME_SEC = 0.001  # times that differ by less are the same, told twice


class PhoneTrack:
    """Phones in order, in seconds of the tape; what is played is forgotten."""

    def __init__(self) -> None:
        self._phones: deque[Phone] = deque()

    def __len__(self) -> int:
        return len(self._phones)

    def note(self, phones: Sequence[Phone], base: float, floor: float) -> None:
        """Add phones timed from ``base``; of the time from their first on they are the newest
        knowledge and replace what was known. Nothing begins before ``floor``.
        """
        start = max(floor, base + phones[0].start)
        while self._phones and self._phones[-1].start >= start - _SAME_SEC:
            self._phones.pop()
        if self._phones and self._phones[-1].end > start:
            self._phones.append(replace(self._phones.pop(), end=start))
        for phone in phones:
            begin, end = max(floor, base + phone.start), max(floor, base + phone.end)
            if end > begin:
                self._phones.append(Phone(phone.symbol, begin, end))

    def forget_before(self, position: float) -> None:
        """Release those that have ended by then."""
        while self._phones and self._phones[0].end < position:
            self._phones.popleft()

    def around(self, start: float, first: float, last: float) -> tuple[Phone, ...]:
        """Those heard between ``first`` and ``last``, timed from ``start``."""
        return tuple(
            Phone(p.symbol, p.start - start, p.end - start)
            for p in self._phones
            if p.start < last and p.end > first
        )
