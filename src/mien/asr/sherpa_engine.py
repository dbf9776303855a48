"""The process in which sherpa-onnx listens: started when it is needed, and again when it died."""

from __future__ import annotations

import asyncio
import logging

from mien.asr import sherpa_worker as worker
from mien.asr.contract import AsrError
from mien.asr.sherpa_worker import Plan
from mien.tts.worker_process import WorkerProcess

logger = logging.getLogger(__name__)

# The largest model takes 10 s to load from a slow disk.
_LOAD_SEC = 120.0


class SherpaEngine:
    """plan: what to load. model: its name, for messages."""

    def __init__(self, plan: Plan, model: str) -> None:
        self._plan = plan
        self._model = model
        self._worker: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def process_id(self) -> int | None:
        """Of the process, while there is one."""
        alive = self._worker is not None and not self._worker.dead
        return self._worker.process.pid if self._worker is not None and alive else None

    async def running(self) -> WorkerProcess:
        """The worker with its models loaded.

        Raises:
            AsrError: what sherpa-onnx says of the model.
        """
        if self._worker is not None and not self._worker.dead:
            return self._worker
        async with self._starting:
            if self._closed:
                raise closed()
            if self._worker is not None:
                if not self._worker.dead:
                    return self._worker
                ended, self._worker = self._worker, None
                await ended.stop()
                code = ended.process.returncode
                logger.warning("sherpa-onnx ended with code %s and is started again", code)
            self._worker = await self._start()
            return self._worker

    async def aclose(self) -> None:
        """End the process. Works before it is started and twice."""
        self._closed = True
        async with self._starting:
            ended, self._worker = self._worker, None
            if ended is not None:
                await ended.stop()

    def kill(self) -> None:
        """End a process that hangs; the next utterance starts another."""
        if self._worker is not None and not self._worker.dead:
            self._worker.process.kill()

    async def _start(self) -> WorkerProcess:
        try:
            started = await WorkerProcess.launch(worker, heed=True)
        except OSError as error:
            raise AsrError(f"sherpa-onnx does not start: {error}") from error
        try:
            started.send(worker.LOAD, 0, self._plan.packed())
            async with asyncio.timeout(_LOAD_SEC):
                kind, _, payload = await started.receive()
            if kind != worker.READY:
                await started.stop()
                raise self._not_loaded(payload.decode("utf-8", "replace"))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            said = await started.last_words() or "it ended without a word"
            await started.stop()
            raise self._not_loaded(said) from error
        except BaseException:
            started.process.kill()
            await asyncio.shield(started.stop())
            raise
        started.listen("sherpa reader")
        if any("fallback to cpu" in line.lower() for line in started.complaints):
            logger.warning("this build of sherpa-onnx has no GPU: %s runs on the CPU", self._model)
        return started

    def _not_loaded(self, why: str) -> AsrError:
        return AsrError(
            f"sherpa-onnx cannot load the model {self._model}: {why}",
            zh=f"sherpa-onnx 无法加载模型 {self._model}：{why}",
            retryable=False,
        )


def closed() -> AsrError:
    return AsrError("the recogniser was closed", zh="语音识别已关闭", retryable=False)
