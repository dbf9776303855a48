"""PocketSphinx: English without a key, a download or a graphics card; small, and of its time.

Its acoustic model (CMU, 2016) is inside the package. Clear speech close to the microphone is
mostly understood, a noisy room or an accent is not.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import ClassVar, Literal

from pydantic import Field

from mien.asr import pocketsphinx_worker as worker
from mien.asr.contract import AsrError
from mien.asr.settings import RecognizerSettings
from mien.asr.spelling import sentence
from mien.language import Language
from mien.media.tick import Pcm
from mien.tts.worker_process import WorkerProcess

# 1 s on an idle machine.
_LOAD_SEC = 60.0
# Its process ends when nobody has spoken for so long; the next word waits a second for a new one.
_IDLE_SEC = 60.0
# An utterance takes a third of its length, and most of it is done when it ends.
_HANG_SEC = 30.0


class PocketSphinxSettings(RecognizerSettings):
    """listeners: people who speak at once; each has a process of 200 MB, which takes a third of a
    core. None: as many as there are cores, four at least."""

    service: Literal["pocketsphinx"] = "pocketsphinx"
    listeners: int | None = Field(default=None, ge=1, le=64)


class PocketSphinxRecognizer:
    """See ``Recognizer``."""

    label_en = "PocketSphinx (built in)"
    label_zh = "PocketSphinx（内置）"
    languages: frozenset[Language] = frozenset({"en"})
    streaming = True
    limits: ClassVar[dict[str, str]] = {
        "en": "English only; clear speech close to the microphone.",
        "zh": "仅限英语；需要清晰、近距离的语音。",
    }

    def __init__(self, name: str, settings: PocketSphinxSettings) -> None:
        self.name = name
        self._limit = settings.listeners or max(4, os.cpu_count() or 4)
        self._open: set[PocketSphinxRecognition] = set()
        self._running = 0
        self._ready: WorkerProcess | None = None
        self._loading = asyncio.Lock()
        self._closed = False

    async def check(self) -> None:
        if find_spec("pocketsphinx") is None:
            raise AsrError(
                "pocketsphinx is not installed; install it with: pip install pocketsphinx",
                zh="未安装 pocketsphinx，请执行：pip install pocketsphinx",
                retryable=False,
            )

    async def warm_up(self) -> None:
        """Start the process that the next microphone gets."""
        await self.check()
        async with self._loading:
            if self._ready is None or self._ready.dead:
                self._ready = await _launched()

    def open(
        self, language: Language, on_partial: Callable[[str], None]
    ) -> PocketSphinxRecognition:
        if self._closed:
            raise _closed()
        if language != "en":
            raise AsrError(
                "PocketSphinx understands English only",
                zh="PocketSphinx 只能识别英语",
                retryable=False,
            )
        opened = PocketSphinxRecognition(self._process, self._open.discard, on_partial)
        self._open.add(opened)
        return opened

    async def aclose(self) -> None:
        self._closed = True
        await asyncio.gather(*(recognition.aclose() for recognition in list(self._open)))
        async with self._loading:
            ready, self._ready = self._ready, None
            if ready is not None:
                await ready.stop()

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[WorkerProcess]:
        """One to listen with; it ends on leaving. Raises AsrError for one too many."""
        if self._running >= self._limit:
            raise AsrError(
                f"PocketSphinx listens to {self._limit} people already",
                zh=f"PocketSphinx 已在同时听 {self._limit} 个人",
            )
        self._running += 1
        try:
            process = await self._started()
            try:
                yield process
            finally:
                await process.stop()
        finally:
            self._running -= 1

    async def _started(self) -> WorkerProcess:
        async with self._loading:
            if self._closed:
                raise _closed()
            ready, self._ready = self._ready, None
            if ready is not None and not ready.dead:
                return ready
            return await _launched()


class PocketSphinxRecognition:
    """See ``Recognition``. What is heard before its process is there waits for it."""

    def __init__(
        self,
        process: Callable[[], AbstractAsyncContextManager[WorkerProcess]],
        on_closed: Callable[[PocketSphinxRecognition], None],
        on_partial: Callable[[str], None],
    ) -> None:
        self.partial = ""
        self._make = process
        self._on_closed = on_closed
        self._on_partial = on_partial
        self._process: WorkerProcess | None = None
        self._unsent: list[tuple[int, int, bytes]] = []
        self._ids = itertools.count(1)
        self._utterance = 0
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._words = ""
        self._unheard = False
        self._failure = _died("")
        self._closed = False
        self._running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if not self._listening and not self._closed:
            self._running = asyncio.create_task(self._run(), name="pocketsphinx")
        self._utterance = next(self._ids)
        self._words, self._unheard = "", False
        self.partial = ""
        self._send(worker.BEGIN, self._utterance)

    def push(self, pcm: Pcm) -> None:
        self._unheard = True
        self._send(worker.SOUND, self._utterance, pcm.tobytes())

    async def transcript(self) -> str:
        if not self._unheard:
            return self._words
        if not self._listening:
            raise self._failure
        utterance, request = self._utterance, next(self._ids)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked[request] = answer
        self._unheard = False
        self._send(worker.ASK, request)
        try:
            async with asyncio.timeout(_HANG_SEC):
                words = await answer
        except TimeoutError:
            if self._running is not None:
                self._running.cancel()
            raise _died(f"no answer within {_HANG_SEC:g} s") from None
        except BaseException:
            self._unheard = self._unheard or utterance == self._utterance
            raise
        finally:
            del self._asked[request]
        if utterance == self._utterance:
            self._words = words
            self._show(words)
        return words

    async def aclose(self) -> None:
        self._closed = True
        self._failure = _closed()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        self._on_closed(self)

    @property
    def _listening(self) -> bool:
        return self._running is not None and not self._running.done()

    async def _run(self) -> None:
        """Hand out what the process says until it ends; then tell everyone who waits."""
        self._failure = _died("")
        try:
            async with self._make() as process:
                for message in self._unsent:
                    process.send(*message)
                self._unsent, self._process = [], process
                while True:
                    async with asyncio.timeout(_IDLE_SEC):
                        kind, request, payload = await process.receive()
                    self._hear(kind, request, sentence(payload.decode()))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        except AsrError as error:
            self._failure = error
        finally:
            self._process = None
            self._unsent = []
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(_closed() if self._closed else self._failure)

    def _hear(self, kind: int, request: int, words: str) -> None:
        if kind == worker.PARTIAL and request == self._utterance:
            self._show(words)
        elif kind == worker.WORDS and (answer := self._asked.get(request)) is not None:
            if not answer.done():
                answer.set_result(words)

    def _show(self, words: str) -> None:
        if words != self.partial:
            self.partial = words
            self._on_partial(words)

    def _send(self, kind: int, request: int, payload: bytes = b"") -> None:
        if self._process is not None:
            self._process.send(kind, request, payload)
        elif self._listening:
            self._unsent.append((kind, request, payload))


async def _launched() -> WorkerProcess:
    try:
        process = await WorkerProcess.launch(worker)
    except OSError as error:
        raise _died(str(error)) from error
    try:
        async with asyncio.timeout(_LOAD_SEC):
            kind, _, payload = await process.receive()
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
        await process.stop()
        raise _died("it did not start") from error
    except BaseException:
        await process.stop()
        raise
    if kind != worker.READY:
        await process.stop()
        said = payload.decode("utf-8", "replace")
        raise AsrError(
            f"PocketSphinx cannot be loaded: {said}",
            zh=f"无法加载 PocketSphinx：{said}",
            retryable=False,
        )
    return process


def _died(why: str) -> AsrError:
    said, said_zh = (f": {why}", f"：{why}") if why else ("", "")
    return AsrError(f"PocketSphinx ended{said}", zh=f"PocketSphinx 进程已退出{said_zh}")


def _closed() -> AsrError:
    return AsrError("the recogniser was closed", zh="语音识别已关闭", retryable=False)
