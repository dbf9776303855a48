"""The time a host lives in."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class HostClock(Protocol):
    """Seconds that only go forward, the time of day, and waiting."""

    def seconds(self) -> float:
        """Of some beginning, never backwards."""
        ...

    def now(self) -> datetime:
        """Aware."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """Real time."""

    def seconds(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
