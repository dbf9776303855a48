"""A live host in a real conversation, real voice and all, with a clock that runs faster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mien.config import Settings
from mien.conversation import Conversation
from mien.live.host import LiveHost
from mien.live.messages import Receipt
from mien.live.order_watch import OrderFile
from mien.live.rules import LiveRules
from mien.llm import Brain
from mien.media.tick import TICK_SEC
from mien.services import Services, open_services

SPEED = 40
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday


class FastTicks:
    """The performance, faster than life."""

    def start(self) -> None:
        self._start = time.monotonic()

    def delay(self, index: int) -> float:
        return self._start + index * TICK_SEC / SPEED - time.monotonic()


class FastClock:
    """The host's time, equally fast. ``jump`` moves the time of day."""

    def __init__(self, begin: datetime = NOON) -> None:
        self._start = time.monotonic()
        self._begin = begin

    def seconds(self) -> float:
        return (time.monotonic() - self._start) * SPEED

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self.seconds())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)

    def jump(self, to: datetime) -> None:
        self._begin = to - timedelta(seconds=self.seconds())


@dataclass
class Show:
    """A host on stage. messages: all events so far, each with the host's time as ``at``."""

    host: LiveHost
    conversation: Conversation
    clock: FastClock
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            m
            for m in self.messages
            if m["type"] == kind and all(m.get(k) == v for k, v in fields.items())
        ]

    @property
    def said(self) -> list[str]:
        """What was heard, turn by turn."""
        return [turn["text"].strip() for turn in self.of("turn") if turn["text"]]

    async def until(self, condition: Any, what: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}; said {self.said[-8:]}")
            await asyncio.sleep(0.005)

    async def hears(self, text: str, times: int = 1) -> None:
        await self.until(lambda: self.said.count(text) >= times, f"{text!r} {times} times")

    async def begins(self, text: str, since: int = 0) -> None:
        def begun() -> bool:
            return any(text in m["text"] for m in self.messages[since:] if m["type"] == "clause")

        await self.until(begun, f"{text!r} begins")

    async def tell(self, author: str, text: str, priority: int | None = None) -> Receipt:
        return await self.host.inbox.submit(author, text, priority)


@asynccontextmanager
async def stage(**settings: Any) -> AsyncIterator[Services]:
    """What all shows of a test file share."""
    small = {"width": 64, "height": 64}
    async with open_services(Settings(video=small, **settings)) as services:
        yield services


@asynccontextmanager
async def show(
    services: Services,
    order: Path | None = None,
    rules: LiveRules | None = None,
    host: LiveHost | None = None,
    brain: Brain | None = None,
) -> AsyncIterator[Show]:
    """A host speaks in a conversation of its own, until the block ends."""
    cast = services.cast("en")
    cast = replace(cast, brain=brain) if brain else cast
    conversation = Conversation(cast, clock=FastTicks())
    if host is None:
        file = OrderFile(order) if order else None
        host = LiveHost(rules or LiveRules(), file, services.moderator, FastClock())
    clock = host.clock
    assert isinstance(clock, FastClock)
    on_stage = Show(host, conversation, clock)

    async def listen() -> None:
        with conversation.events.listen() as events:
            while (message := await events.get()) is not None:
                on_stage.messages.append({**message, "at": clock.seconds()})

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in (conversation.run(), listen())]
        await conversation.ready()
        running.append(tasks.create_task(host.run(conversation)))
        try:
            yield on_stage
        finally:
            for task in running:
                task.cancel()


def write_order(folder: Path, text: str) -> Path:
    file = folder / "order.toml"
    file.write_text(text, encoding="utf-8")
    return file
