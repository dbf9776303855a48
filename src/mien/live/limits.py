"""How often something may happen: token buckets, and waits after failures."""

from __future__ import annotations

from collections import OrderedDict

# Half a minute's worth may come at once: people write two lines in a row.
BURST_SHARE = 1 / 2
LONGEST_WAIT_SEC = 120.0


class TokenBucket:
    """per_minute tokens drop in evenly, up to ``burst``. Times are seconds of one clock."""

    def __init__(self, per_minute: float, now: float, burst: float | None = None) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, per_minute * BURST_SHARE if burst is None else burst)
        self._tokens = self._most
        self._at = now

    def take(self, now: float) -> bool:
        """Whether there was a token, which is gone now."""
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Buckets:
    """One bucket per name; of those unused for long, the oldest are forgotten."""

    def __init__(self, per_minute: float, keep: int = 5000) -> None:
        self._per_minute = per_minute
        self._keep = keep
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, name: str, now: float) -> TokenBucket:
        bucket = self._buckets.pop(name, None) or TokenBucket(self._per_minute, now)
        self._buckets[name] = bucket
        if len(self._buckets) > self._keep:
            self._buckets.popitem(last=False)
        return bucket


class BackOff:
    """Something that fails is tried ever more rarely: after 2, 4, 8 … seconds."""

    def __init__(self) -> None:
        self.until = 0.0
        self._failures = 0

    def fail(self, now: float) -> float:
        """Seconds until the next try."""
        self._failures = min(self._failures + 1, 10)
        wait = min(2.0**self._failures, LONGEST_WAIT_SEC)
        self.until = now + wait
        return wait

    def succeed(self) -> None:
        self._failures = 0
