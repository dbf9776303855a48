"""One utterance on its way through the process of sherpa-onnx."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from mien.asr import sherpa_worker as worker
from mien.asr.contract import AsrError
from mien.asr.sherpa_engine import SherpaEngine, closed
from mien.asr.sherpa_text import presentable
from mien.tts.worker_process import WorkerProcess

# Half a minute of speech takes 30 s with a large model for whole utterances on one weak core.
_HANG_SEC = 60.0


class Utterance:
    """words: so far, as they can be shown. on_words: called when they change. on_spotted: called
    with a keyword, where the engine spots them."""

    def __init__(self, engine: SherpaEngine, hotwords: str = "") -> None:
        self.words = ""
        self.on_words: Callable[[], None] = lambda: None
        self.on_spotted: Callable[[str], None] = lambda keyword: None
        self._engine = engine
        self._hotwords = hotwords
        # Messages that wait for the worker to be ready, in order.
        self._early: list[tuple[int, bytes]] = []
        self._send: Callable[[int, bytes], None] | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[bytes, asyncio.Future[str]] = {}
        self._answer: asyncio.Future[str] | None = None
        self._failure: AsrError | None = None
        self._over = False
        self._task: asyncio.Task[None] | None = None

    @property
    def untouched(self) -> bool:
        """Nothing has been pushed or asked."""
        return self._task is None

    @property
    def failed(self) -> bool:
        return self._failure is not None

    @property
    def ended(self) -> bool:
        return self._task is None or self._task.done()

    def push(self, pcm: bytes) -> None:
        self._answer = None
        self._tell(worker.SOUND, pcm)

    async def transcript(self) -> str:
        """The words of everything pushed. Raises AsrError."""
        if self.untouched:
            return ""
        if self._answer is None:
            number = worker.NUMBER.pack(next(self._numbers))
            self._answer = self._asked[number] = asyncio.get_running_loop().create_future()
            if self._failure is not None:
                self._fail(self._failure)
            else:
                self._tell(worker.FINAL, number)
        try:
            async with asyncio.timeout(_HANG_SEC):
                return await asyncio.shield(self._answer)
        except TimeoutError:
            self._engine.kill()
            raise AsrError(
                f"sherpa-onnx has not answered for {_HANG_SEC:.0f} s",
                zh=f"sherpa-onnx 在 {_HANG_SEC:.0f} 秒内没有应答",
            ) from None

    def end(self) -> None:
        """Nothing more comes; it lives until it has given the answers that it owes."""
        self._over = True
        self._finish_if_done()

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._fail(closed())

    def _tell(self, kind: int, payload: bytes) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._live(), name="utterance")
        if self._send is not None:
            self._send(kind, payload)
        elif self._failure is None:
            self._early.append((kind, payload))

    async def _live(self) -> None:
        try:
            running = await self._engine.running()
            await self._converse(running)
        except AsrError as error:
            self._fail(error)
        finally:
            self._send = None

    async def _converse(self, running: WorkerProcess) -> None:
        with running.request() as (request, answers):
            running.send(worker.OPEN, request, self._hotwords.encode())
            for kind, payload in self._early:
                running.send(kind, request, payload)
            self._early.clear()
            self._send = lambda kind, payload: running.send(kind, request, payload)
            try:
                while not (self._over and not self._asked):
                    answer = await answers.get()
                    if answer is None:
                        why = await running.last_words() or "its process ended"
                        raise AsrError(f"sherpa-onnx failed: {why}", zh=f"sherpa-onnx 出错：{why}")
                    self._take(*answer)
            finally:
                running.send(worker.CLOSE, request)

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == worker.ERROR:
            why = payload.decode("utf-8", "replace")
            raise AsrError(f"sherpa-onnx: {why}", zh=f"sherpa-onnx：{why}")
        if kind == worker.SPOTTED:
            return self.on_spotted(payload.decode("utf-8", "replace"))
        size = worker.NUMBER.size if kind == worker.WORDS else 0
        words = presentable(payload[size:].decode("utf-8", "replace"))
        if kind == worker.WORDS and (asked := self._asked.pop(payload[:size], None)) is not None:
            asked.set_result(words)
        elif kind == worker.PARTIAL and words != self.words:
            self.words = words
            self.on_words()

    def _fail(self, error: AsrError) -> None:
        self._failure = error
        self._early.clear()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever asked may have gone
        self._asked.clear()

    def _finish_if_done(self) -> None:
        if self._task is not None and not self._asked:
            self._task.cancel()
