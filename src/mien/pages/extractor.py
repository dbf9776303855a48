"""Takes documents apart in a program of its own.

Extraction is pure Python: 10 ms for most pages, seconds for some, and what reads hostile HTML may
crash. In a thread it would hold up the sound, which needs the interpreter every 20 ms, and could
not be stopped; a process can be, and has neither our keys nor our memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from typing import Any

from mien.pages.contract import PageError
from mien.pages.extract import Extracted

_LIMIT_SEC = 5.0
"""For one document. On a slow machine the longest that are not cut short take 1 s."""
_START_SEC = 20.0
_ANSWER_BYTES = 1 << 23
# Whatever it is, the worker is ended: what is left of its answer would be taken for the next one.
_FAILURES = (
    TimeoutError,
    OSError,
    ValueError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
)
# What it needs to find its libraries; keys are in the environment, too.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SYSTEMROOT", "LANG", "LC_ALL")


class Extractor:
    """One worker, started when first needed, for one document at a time.

    When a request is cancelled it finishes that document, mostly in milliseconds, and its answer is
    thrown away; starting again takes half a second of everybody's time.
    """

    def __init__(self) -> None:
        self._worker: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._owed = 0  # answers that are still to come from this worker

    async def extract(self, body: bytes, media_type: str, charset: str, url: str) -> Extracted:
        """As `extract.extract`. Raises PageError, also for what takes too long or is fatal."""
        request = {
            "media_type": media_type,
            "charset": charset,
            "url": url,
            "length": len(body),
            "limit_sec": _LIMIT_SEC,
        }
        async with self._lock:
            answer = await self._ask(json.dumps(request).encode() + b"\n" + body)
        if "error" in answer:
            raise PageError(answer["error"], answer["zh"])
        return Extracted(**answer)

    async def start(self) -> None:
        """Have the worker ready, while something else takes time anyway."""
        if self._alive() is not None:
            return  # busy, maybe, with somebody else's document: nobody waits for that here
        async with self._lock:
            await self._running()

    async def aclose(self) -> None:
        async with self._lock:
            await self._end()

    async def _ask(self, request: bytes) -> dict[str, Any]:
        while True:
            worker = await self._running()
            after_another = self._owed > 0
            try:
                return await self._exchange(worker, request)
            except _FAILURES as error:
                await self._end()
                if not after_another:  # else it may have been the other's fault
                    raise PageError("the page cannot be taken apart", "网页无法解析") from error

    async def _exchange(self, worker: asyncio.subprocess.Process, request: bytes) -> dict[str, Any]:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(request)
        self._owed += 1
        async with asyncio.timeout(_START_SEC + _LIMIT_SEC * self._owed):  # it ends itself earlier
            await worker.stdin.drain()
            while True:
                answer: dict[str, Any] = json.loads(await worker.stdout.readuntil(b"\n"))
                self._owed -= 1
                if not self._owed:
                    return answer

    def _alive(self) -> asyncio.subprocess.Process | None:
        worker = self._worker
        return worker if worker is not None and worker.returncode is None else None

    async def _running(self) -> asyncio.subprocess.Process:
        worker = self._alive()
        if worker is None:
            if importlib.util.find_spec("trafilatura") is None:
                raise PageError(
                    'reading web pages needs pip install "mien[mind]"',
                    '读取网页需要 pip install "mien[mind]"',
                )
            self._owed = 0
            worker = self._worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mien.pages.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_ANSWER_BYTES,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
        return worker

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        self._owed = 0
        if worker is not None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            if worker.stdout is not None:  # with a full buffer its end would never be seen
                await worker.stdout.read()
            await worker.wait()
