"""A process of its own for a voice's library: what it does to its process stays there.

Every message, in both directions, is a header ``<BII`` (kind, request id, payload length) and its
payload; see ``espeak_worker`` and ``sherpa_worker`` for the kinds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from mien.tts.espeak_worker import HEADER

_STOP_SEC = 2.0
_COMPLAINTS = 12
_HEEDING = "worker's complaints"

Answers = asyncio.Queue[tuple[int, bytes] | None]
"""Kind and payload; None: the worker died."""


class WorkerDied(Exception):
    """The worker ended or hung in the middle of a request."""


class WorkerProcess:
    """One process, the task that reads from it, and who waits for what it says.

    served: requests so far. complaints: the last lines of its stderr.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.waiting: dict[int, Answers] = {}
        self.dead = False
        self.served = 0
        self.complaints: deque[str] = deque(maxlen=_COMPLAINTS)
        self._ids = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def launch(cls, module: ModuleType, *arguments: str, heed: bool = False) -> WorkerProcess:
        """Run ``module``'s file by its path, with nothing else beside it on the way.

        heed: keep what it writes to stderr. Raises OSError when there can be no process.
        """
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        command = (sys.executable, "-P", str(Path(str(module.__file__))), *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe if heed else null
        )
        started = cls(process)
        if heed:
            started._tasks.append(asyncio.create_task(started._heed(), name=_HEEDING))
        return started

    def listen(self, name: str) -> None:
        """Begin to hand out answers; whatever greeting there is has been received before."""
        self._tasks.append(asyncio.create_task(self._read(), name=name))

    def send(self, kind: int, request: int, payload: bytes = b"") -> None:
        """Never waits; what a dead worker is sent is lost."""
        pipe = self.process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(HEADER.pack(kind, request, len(payload)) + payload)

    async def receive(self) -> tuple[int, int, bytes]:
        """The next message: kind, request, payload.

        Raises asyncio.IncompleteReadError or ConnectionError when the worker has ended.
        """
        assert self.process.stdout is not None
        head = await self.process.stdout.readexactly(HEADER.size)
        kind, request, length = HEADER.unpack(head)
        return kind, request, await self.process.stdout.readexactly(length)

    @contextlib.contextmanager
    def request(self) -> Iterator[tuple[int, Answers]]:
        """A new request's id and where its answers arrive, for as long as somebody cares."""
        request, answers = next(self._ids), Answers()
        if self.dead:
            answers.put_nowait(None)
        self.waiting[request] = answers
        self.served += 1
        try:
            yield request, answers
        finally:
            del self.waiting[request]

    async def last_words(self) -> str:
        """What it wrote to stderr, once it has ended; "" where nobody heeds it."""
        heeding = [task for task in self._tasks if task.get_name() == _HEEDING]
        if heeding:
            await asyncio.wait(heeding, timeout=_STOP_SEC)
        return "; ".join(self.complaints)

    async def stop(self) -> None:
        """End the process and its tasks, by force if it does not end with its input."""
        self.dead = True
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SEC):
                await self.process.wait()
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            for task in self._tasks:
                task.cancel()
        await self.process.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _read(self) -> None:
        """Hand out what the worker says until it ends; then tell everyone who waits."""
        try:
            while True:
                kind, request, payload = await self.receive()
                if (queue := self.waiting.get(request)) is not None:
                    queue.put_nowait((kind, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it died; whoever waits decides what to do
        finally:
            self.dead = True
            for queue in self.waiting.values():
                queue.put_nowait(None)

    async def _heed(self) -> None:
        assert self.process.stderr is not None
        while line := await self._line(self.process.stderr):
            if text := line.decode("utf-8", "replace").strip():
                self.complaints.append(text)

    @staticmethod
    async def _line(stream: asyncio.StreamReader) -> bytes:
        try:
            return await stream.readline()
        except ValueError:  # too long; it is dropped
            return b"\n"
