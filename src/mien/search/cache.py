"""Answers kept for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class TtlCache(Generic[Value]):
    """At most ``size`` values, each for ``ttl_sec``; those not asked for longest go first."""

    def __init__(
        self, ttl_sec: float, size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_sec = ttl_sec
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Value | None:
        """The value, unless it is too old or was never there."""
        found = self._kept.get(key)
        if found is None:
            return None
        if self._clock() >= found[0]:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep it from now on."""
        self._kept[key] = (self._clock() + self._ttl_sec, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
