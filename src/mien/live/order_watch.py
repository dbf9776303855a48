"""A running order that may be edited while it is on the air."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from mien.events import Message
from mien.live.clock import HostClock
from mien.live.order import RunningOrder
from mien.live.order_file import OrderError, load_order, spoken_texts
from mien.moderation.contract import Moderator
from mien.problems import Problem

LOOK_SEC = 1.0
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


async def watch(
    file: OrderFile,
    clock: HostClock,
    moderator: Moderator | None,
    publish: Callable[[Message], None],
    on_edition: Callable[[RunningOrder], None],
) -> None:
    """Look for new editions until cancelled.

    publish: is told, as ``error`` events, of an edit that cannot be used and of blocked words.
    """
    await _judge(file.order, moderator, publish)
    while True:
        await clock.sleep(LOOK_SEC)
        try:
            if not await file.refresh():
                continue
        except OrderError as error:
            en, zh = "the running order stays as it was", "节目单保持不变"
            _tell(publish, "order_invalid", f"{en}: {error.en}", f"{zh}：{error.zh}")
            continue
        except Exception:
            logger.exception("the running order could not be looked at")
            continue
        logger.info(f"a new edition of {file.path.name}")
        on_edition(file.order)
        await _judge(file.order, moderator, publish)


async def _judge(
    order: RunningOrder, moderator: Moderator | None, publish: Callable[[Message], None]
) -> None:
    """Say now which items will not be said."""
    if moderator is None:
        return
    for number, text in spoken_texts(order):
        try:
            if (await moderator.judge_answer(text)).allowed:
                continue
        except Exception:
            logger.exception("the moderator failed")
            return
        where = f"item {number}" if number else "greeting or closing"
        where_zh = f"第 {number} 项" if number else "开场或结束语"
        _tell(
            publish,
            "order_blocked",
            f"{where} of the running order holds a blocked word and will be cut short",
            f"节目单{where_zh}含有屏蔽词，播出时会被截断",
        )


def _tell(publish: Callable[[Message], None], code: str, en: str, zh: str) -> None:
    logger.warning(en)
    publish({"type": "error", **Problem(code, en, zh).as_message()})
