"""What was read lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Values by key, for `keep_sec` each and up to `limit` bytes together; the oldest go first."""

    def __init__(self, keep_sec: float, limit: int, clock: Callable[[], float] = monotonic) -> None:
        self._keep_sec = keep_sec
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, int, T]] = OrderedDict()
        self.size = 0

    def get(self, key: str) -> T | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry[0]:
            self._drop(key)
            return None
        return entry[2]

    def put(self, key: str, value: T, size: int) -> None:
        """size: about how many bytes it takes; one that is too large alone is not kept."""
        self._drop(key)
        if size > self._limit or not self._keep_sec:
            return
        self._entries[key] = (self._clock() + self._keep_sec, size, value)
        self.size += size
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry[1]
