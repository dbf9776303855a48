"""Keeps one output on the air: attempt after attempt, until somebody stops it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from loguru import logger

from mien.media.output import Output, OutputError
from mien.media.program import Program

State = Literal["connecting", "live", "waiting", "paused", "failed", "ended"]

BACK_OFF_SEC = (0.5, 1.0, 2.0, 4.0, 5.0)
# A server that is being restarted had us on the air a moment ago, or refuses at once, which costs
# it nothing: ask it so often that nobody is off the air for 3 s after it is back (`mien bench rtmp
# --kills 20`; with 2 s here it was 3.7 s at worst on a machine that was busy otherwise).
SOON_SEC = 1.0
# Platforms bar those who come again and again with a key they do not take.
REJECTED_SEC = 10.0
# What lived this long was not the same failure as the one before.
STEADY_SEC = 10.0
# Time to say goodbye: RTMP deleteStream, WHIP DELETE, the end of a file.
LEAVE_SEC = 2.0

UNEXPECTED = OutputError(
    "Something unexpected went wrong in this output; the server's log says what.",
    code="internal",
    zh="该输出发生意外错误，详情见服务器日志。",
)


@runtime_checkable
class Pausable(Protocol):
    """An output that can leave out a part (a recording)."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an output is not live. code: one word, see OutputError."""

    code: str
    en: str
    zh: str


@dataclass(slots=True)
class Status:
    """How an output stands.

    reason: why it is not live, or was not the last time.
    since: Unix time at which the state began. retry_at: Unix time of the next attempt.
    """

    state: State = "connecting"
    reason: Reason | None = None
    since: float = field(default_factory=time.time)
    retry_at: float | None = None


class Supervised:
    """One output with its attempts. :meth:`run` lasts until :meth:`stop`, or the output ends.

    on_change: called on the event loop after each change of :attr:`status`.
    """

    def __init__(
        self,
        output: Output,
        program: Program,
        on_change: Callable[[Supervised], None] = lambda supervised: None,
    ) -> None:
        self.output = output
        self.status = Status()
        self.reconnects = 0
        self._program = program
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._again = asyncio.Event()
        self._steps = 0
        self._was_live = False
        self._live_since: float | None = None
        self._bytes_before = self._bytes_last = 0

    # -- what people do ----------------------------------------------------------------

    def stop(self) -> None:
        """Ask :meth:`run` to take leave and end, which takes it :data:`LEAVE_SEC` at most."""
        self._stopping.set()
        self._again.set()

    def retry(self) -> None:
        """Do not wait any longer, if this output waits or has failed."""
        self._steps = 0
        self._again.set()

    @property
    def can_pause(self) -> bool:
        return isinstance(self.output, Pausable)

    def pause(self, paused: bool) -> None:
        """Leave out what comes, or go on; while live.

        Raises:
            ValueError: when it cannot be paused, or not now.
        """
        if not isinstance(self.output, Pausable) or self.status.state not in ("live", "paused"):
            raise ValueError(f"{self.output.label} cannot be paused now")
        if paused == (self.status.state == "paused"):
            return
        if paused:
            self.output.pause()
        else:
            self.output.resume()
        self._enter("paused" if paused else "live")

    @property
    def running(self) -> bool:
        """Whether it is, or may yet come, on the air by itself."""
        return self.status.state not in ("failed", "ended")

    def count_bytes(self) -> int:
        """Sent or written in all attempts, also where the output counts each by itself."""
        now = int(self.output.figures().get("bytes", 0))
        if now < self._bytes_last:
            self._bytes_before += self._bytes_last
        self._bytes_last = now
        return self._bytes_before + now

    # -- life --------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until stopped or cancelled; whatever goes wrong in the output ends up as a state."""
        try:
            while not self._stopping.is_set():
                error = await self._attempt()
                if error is None:
                    break
                await self._rest(error)
        finally:
            self._enter("ended", self.status.reason)

    async def _attempt(self) -> OutputError | None:
        """Go on the air once. Returns why that ended; None where it ended as it should."""
        self._live_since = None
        self._enter("connecting", self.status.reason)
        attempt = asyncio.create_task(
            self._run_output(), name=f"{self.output.kind} to {self.output.label}"
        )
        stopping = asyncio.create_task(self._stopping.wait(), name="stop of an output")
        try:
            await asyncio.wait({attempt, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await _leave(attempt)
            self.count_bytes()  # before the next attempt may begin at zero
        if self._stopping.is_set():
            return None
        return UNEXPECTED if attempt.cancelled() else attempt.result()

    async def _run_output(self) -> OutputError | None:
        try:
            await self.output.run(self._program, self._on_live)
        except Exception as error:
            expected = _expected(error)
            if expected is None:
                logger.exception(f"output {self.output.label} failed")
            return expected or UNEXPECTED
        return None

    def _on_live(self) -> None:
        if self.status.state != "connecting":
            return
        if self._was_live:
            self.reconnects += 1
        self._was_live = True
        self._live_since = time.monotonic()
        self._enter("live")

    async def _rest(self, error: OutputError) -> None:
        """Wait for the next attempt; where trying again cannot help, until somebody asks."""
        reason = Reason(error.code, str(error), error.zh)
        self._again.clear()
        if self._stopping.is_set():
            return
        if not error.retryable:
            self._enter("failed", reason)
            await self._again.wait()
            return
        seconds = self._next_wait(error.code)
        self._enter("waiting", reason, wait=seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._again.wait()
        except TimeoutError:
            pass

    def _next_wait(self, code: str) -> float:
        live_since = self._live_since
        if live_since is not None and time.monotonic() - live_since >= STEADY_SEC:
            self._steps = 0
        seconds = BACK_OFF_SEC[min(self._steps, len(BACK_OFF_SEC) - 1)]
        self._steps += 1
        if code == "rejected":
            return REJECTED_SEC
        soon = code == "refused" or live_since is not None
        return min(seconds, SOON_SEC) if soon else seconds

    def _enter(self, state: State, reason: Reason | None = None, wait: float | None = None) -> None:
        now = time.time()
        self.status = Status(state, reason, now, None if wait is None else now + wait)
        try:
            self._on_change(self)
        except Exception:  # a listener's fault must not take the stream off the air
            logger.exception("a listener of an output failed")


def _expected(error: BaseException) -> OutputError | None:
    """The failure in words, also where a task group has wrapped it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, OutputError) else None


async def _leave(attempt: asyncio.Task[OutputError | None]) -> None:
    """Let an attempt take leave; one that takes too long is interrupted in its leaving."""
    for seconds in (LEAVE_SEC, LEAVE_SEC / 4):
        if attempt.done():
            return
        attempt.cancel()
        await asyncio.wait({attempt}, timeout=seconds)
    if not attempt.done():
        logger.warning(f"{attempt.get_name()} does not end; it is left to itself")
