"""Models on their way to this server: one at a time, in a thread, whoever watches or leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from loguru import logger

from mien.models.catalogue import Model
from mien.models.errors import ModelError
from mien.models.progress import Progress
from mien.models.pull import pull
from mien.problems import Problem

State = Literal["running", "done", "failed", "cancelled"]

# A server that is silent is noticed within its time limit only; nobody waits for that.
ENDING_SEC = 2.0


class _Cancelled(Exception):
    """Somebody does not want it any more."""


@dataclass
class Pull:
    """One model being fetched, or how that ended."""

    name: str
    state: State = "running"
    progress: Progress | None = None
    error: Problem | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def ending(self) -> bool:
        return self.cancelled.is_set()

    def told(self, progress: Progress) -> None:
        """From the thread that fetches."""
        if self.cancelled.is_set():
            raise _Cancelled
        self.progress = progress

    def as_message(self) -> dict[str, Any]:
        """{state, step, file, host, done, total, share, error}: done, total in bytes of all files;
        share 0…1 of the step, None where nobody knows how much will come. state: "cancelling" until
        a cancelled one has really ended."""
        now = self.progress
        share = None
        if now is not None and now.step == "unpack":
            share = now.file_done / now.file_total if now.file_total else None
        elif now is not None and now.total:
            share = now.done / now.total
        return {
            "state": "cancelling" if self.state == "running" and self.ending else self.state,
            "step": now.step if now else "connect",
            "file": now.file if now else None,
            "host": now.host if now else None,
            "done": now.done if now else 0,
            "total": now.total if now else None,
            "share": share,
            "error": self.error.as_message() if self.error else None,
        }


class Pulls:
    """The model being fetched, or the last that was."""

    def __init__(self) -> None:
        self._last: Pull | None = None
        self._running: asyncio.Task[None] | None = None

    def of(self, name: str) -> Pull | None:
        """The model's pull, if it was the last one."""
        return self._last if self._last is not None and self._last.name == name else None

    def start(self, wanted: Model) -> Pull:
        """Its licence has been accepted. One that is under way is only returned.

        Raises:
            Problem: 409 while another model is fetched.
        """
        if self._last is not None and self._last.state == "running":
            if self._last.name == wanted.name and not self._last.ending:
                return self._last
            raise Problem(
                "busy",
                f"{self._last.name} is being fetched; wait for it or cancel it.",
                f"正在获取 {self._last.name}，请等待其完成或将其取消。",
                status=409,
                retryable=True,
            )
        self._last = Pull(wanted.name)
        self._running = asyncio.create_task(self._run(wanted, self._last), name="pull")
        return self._last

    async def cancel(self, name: str) -> None:
        """End the model's pull; what has come stays for the next one."""
        found = self.of(name)
        if found is not None and found.state == "running":
            await self.aclose()

    async def _run(self, wanted: Model, this: Pull) -> None:
        try:
            await _in_thread(lambda: pull(wanted, None, this.told))
        except _Cancelled:
            this.state = "cancelled"
        except ModelError as error:
            again = error.code in ("unreachable", "busy", "disk_full")
            this.error = Problem(error.code, error.en, error.zh, 502, again, "models")
            this.state = "failed"
        except Exception as error:
            logger.opt(exception=error).error("fetching a model failed")
            this.error = Problem(
                "internal",
                "Something went wrong on the server; its log says what.",
                "服务器出了点问题，详情见日志。",
                retryable=True,
            )
            this.state = "failed"
        else:
            this.state = "done"

    async def aclose(self) -> None:
        """End what is running."""
        if self._last is not None:
            self._last.cancelled.set()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=ENDING_SEC)


async def _in_thread(work: Callable[[], object]) -> None:
    """Unlike ``asyncio.to_thread``'s, the thread does not keep the process from ending: a pull may
    be cut anywhere."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: Exception | None) -> None:
        if ended.done():
            return
        ended.set_exception(error) if error else ended.set_result(None)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(end, error)

    threading.Thread(target=run, name="pull", daemon=True).start()
    await ended
