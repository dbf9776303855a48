"""Not more at a time from one site than a person with a browser would take."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from mien.pages.contract import PageError

AT_ONCE = 2
"""Connections to one host."""
INTERVAL_SEC = 0.25
"""Between the beginnings of two pages of one host; more if its robots.txt asks for that."""
_PATIENCE_SEC = 5.0
"""A longer wait is not begun: nobody waits for the answer any more."""
_HOSTS = 512


@dataclass(slots=True)
class _Host:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    next_at: float = 0.0
    users: int = 0


class Courtesy:
    """What is going on with which host. clock: seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    @asynccontextmanager
    async def visit(self, host: str) -> AsyncIterator[None]:
        """One of the connections that a host is given."""
        entry = self._hosts.setdefault(host, _Host())
        self._hosts.move_to_end(host)
        entry.users += 1
        try:
            async with entry.free:
                yield
        finally:
            entry.users -= 1
            while len(self._hosts) > _HOSTS and not next(iter(self._hosts.values())).users:
                self._hosts.popitem(last=False)

    async def turn(self, host: str, delay_sec: float = 0.0) -> None:
        """Wait until the host's next page may be asked for. Raises PageError for a long wait."""
        entry = self._hosts[host]
        now = self._clock()
        wait = max(0.0, entry.next_at - now)
        if wait > _PATIENCE_SEC:
            raise PageError(
                f"{host} asks programs to wait {wait:.0f} s between two pages",
                f"{host} 要求程序在两次读取之间等待 {wait:.0f} 秒",
            )
        entry.next_at = now + wait + max(INTERVAL_SEC, delay_sec)
        await asyncio.sleep(wait)
