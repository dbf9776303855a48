"""A running order that may be edited while it is on the air."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mien.live.order import RunningOrder
from mien.live.order_file import load_order

Stamp = tuple[int, int, int]


class OrderFile:
    """order: the newest edition that was without fault. Raises OrderError from the beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        self.order: RunningOrder = load_order(self.path)
        self._read = self._seen = self._stamp()

    async def refresh(self) -> bool:
        """Whether there is a new edition, which ``order`` is then. To be called now and then.

        A file that is still being written is left alone until it has stayed as it is between two
        calls.

        Raises:
            OrderError: once for each bad edit; ``order`` stays as it was.
        """
        return await asyncio.to_thread(self._refresh)

    def _refresh(self) -> bool:
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp != before or stamp == self._read:
            return False
        self._read = stamp
        self.order = load_order(self.path)
        return True

    def _stamp(self) -> Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None  # between the two halves of an editor's rename, or gone
        return status.st_mtime_ns, status.st_size, status.st_ino
