"""The live session: the server's own, on the air from its start, whoever watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

from loguru import logger

from mien.conversation import Conversation
from mien.problems import Problem
from mien.server.sessions import Session
from mien.server.targets import Target

LIVE = "live"
RESTART_SEC = (1.0, 2.0, 5.0, 10.0, 30.0)
# What lived this long did not fail because of how it was begun.
STEADY_SEC = 60.0

Companion = Callable[[Conversation], Coroutine[None, None, None]]


class LiveSession:
    """Opens a session, puts it on the air, and begins anew when it fails.

    open_: opens it, with :data:`LIVE` as its id. targets: where to. companions: each is run beside
    every conversation of it (a host with a script) until that ends; one that fails ends the
    conversation, which then begins anew.
    """

    def __init__(
        self,
        open_: Callable[[], Awaitable[Session]],
        targets: Sequence[Target] = (),
        companions: Sequence[Companion] = (),
    ) -> None:
        self._open = open_
        self._targets = list(targets)
        self._companions = companions
        self._session: Session | None = None
        self._opened = asyncio.Event()

    @property
    def conversation(self) -> Conversation | None:
        """The present one; None while it is beginning anew."""
        return self._session.conversation if self._session is not None else None

    async def session(self) -> Session:
        """The present one, or the next."""
        while self._session is None:
            await self._opened.wait()
        return self._session

    async def conversations(self) -> AsyncIterator[Conversation]:
        """The present one, then each that takes its place."""
        while True:
            session = await self.session()
            yield session.conversation
            await session.ended()

    async def run(self) -> None:
        """Keep it on the air until cancelled; the session itself belongs to the server."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._once()
            except Problem as problem:
                logger.error(f"the live session could not begin: {problem}")
            except Exception:
                logger.exception("the live session could not begin")
            failures = 1 if time.monotonic() - began > STEADY_SEC else failures + 1
            wait = RESTART_SEC[min(failures, len(RESTART_SEC)) - 1]
            logger.warning(f"the live session has ended; it begins anew in {wait:g} s")
            await asyncio.sleep(wait)

    async def _once(self) -> None:
        session = await self._open()
        for companion in self._companions:
            session.accompany(companion(session.conversation), "companion of the live session")
        for target in self._targets:
            try:
                session.outputs.add(target)
            except Problem as problem:
                logger.error(f"an output of the live session cannot begin: {problem}")
        self._session = session
        self._opened.set()
        try:
            await session.ended()
        finally:
            self._session = None
            self._opened.clear()
            self._targets = session.outputs.targets  # also those that were added meanwhile
