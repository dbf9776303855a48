"""Voices of sherpa-onnx: VITS, Piper, MeloTTS, Matcha, Kokoro and Kitten, on the CPU or a GPU.

They need no server and no Python library but sherpa-onnx, and most run faster than real time on a
few cores. They give no times; ``AlignedVoice`` finds them by listening.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
from pydantic import Field

from mien.language import Language
from mien.media.tick import SAMPLE_RATE, Pcm
from mien.models.catalogue import catalogue
from mien.models.errors import ModelError
from mien.models.store import find_folder
from mien.tts import sherpa_worker as worker
from mien.tts.settings import VoiceSettings
from mien.tts.sherpa_model import SherpaModel, look_into
from mien.tts.voice import Run, VoiceChunk, VoiceError
from mien.tts.worker_process import Answers, WorkerDied, WorkerProcess

logger = logging.getLogger(__name__)

# The largest model takes 10 s to load from a slow disk.
_LOAD_SEC = 120.0
# A sentence of 20 s takes 90 s with the slowest model on one weak core.
_HANG_SEC = 120.0


class SherpaSettings(VoiceSettings):
    """model: a name of ``mien models list``, or a folder. file: of several networks in a folder
    the one to use. speaker: its number or its name. languages: that it speaks, where the model
    tells wrongly. threads: of the CPU; more than four help little. provider: "cuda" needs a build
    of sherpa-onnx for CUDA.
    """

    service: Literal["sherpa"] = "sherpa"
    model: str = "matcha-icefall-zh-en"
    file: str = ""
    speaker: int | str = 0
    languages: tuple[Language, ...] | None = None
    threads: int = Field(default=2, ge=1, le=64)
    provider: Literal["cpu", "cuda", "coreml"] = "cpu"


class SherpaVoice:
    """A sherpa-onnx model as a ``Voice``; belongs to the event loop it is first used in.

    It is loaded with the first text, in a process of its own. Conversations take turns there,
    clause by clause in the order in which they come. A clause with words of a language that the
    model does not speak yields nothing.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str, settings: SherpaSettings) -> None:
        self.name = name
        self._settings = settings
        self._model: SherpaModel | None = None
        self._worker: WorkerProcess | None = None
        self._rate = 0
        self._starting = asyncio.Lock()
        self._closed = False

    async def check(self) -> None:
        """See ``Voice.check``: whether sherpa-onnx and the model are here, and complete."""
        if self._worker is None or self._worker.dead:
            _installed()
            _fits(await asyncio.to_thread(self._look))

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``. The first sound comes when the first sentence is complete."""
        if not any(character.isalnum() for run in runs for character in run.text):
            return
        model = self._model
        if model is None:
            model = await asyncio.to_thread(self._look)
        if not {run.language for run in runs} <= set(model.languages):
            logger.info("voice %s does not speak all of a clause", self.name)
            return
        text = "".join(run.text for run in runs)
        for attempt in (1, 2):
            sounded = False
            try:
                chunks = self._say(text, _speaker(self._settings, model))
                async with aclosing(chunks):
                    async for chunk in chunks:
                        sounded = True
                        yield chunk
                return
            except WorkerDied as error:
                if self._closed:
                    raise VoiceError("the voice was closed", retryable=False) from error
                # What has been heard is not said again: another voice says the rest.
                if sounded or attempt == 2:
                    raise VoiceError(
                        f"sherpa-onnx failed: {error}",
                        retryable=True,
                        zh=f"sherpa-onnx 出错：{error}",
                    ) from error

    async def aclose(self) -> None:
        """See ``Voice.aclose``."""
        self._closed = True
        async with self._starting:
            ended, self._worker = self._worker, None
            if ended is not None:
                await ended.stop()

    async def _say(self, text: str, speaker: int) -> AsyncGenerator[VoiceChunk, None]:
        running = await self._running()
        resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, 1, dtype="int16")
        wanted = {"text": text, "speaker": speaker, "speed": self._settings.speed}
        with running.request() as (request, answers):
            finished = False
            try:
                running.send(worker.SAY, request, json.dumps(wanted).encode())
                while not finished:
                    kind, payload = await _answer(running, answers)
                    finished = kind != worker.PIECE
                    if kind == worker.ERROR:
                        said = payload.decode("utf-8", "replace")
                        raise VoiceError(f"sherpa-onnx: {said}", retryable=True)
                    pcm: Pcm = np.frombuffer(payload, np.int16)
                    pcm = np.asarray(resampler.resample_chunk(pcm, last=finished), np.int16)
                    if len(pcm):
                        yield VoiceChunk(pcm)
            finally:
                if not finished:
                    running.send(worker.CANCEL, request)

    def _look(self) -> SherpaModel:
        settings = self._settings
        model = look_into(_folder(settings.model), settings.file)
        if settings.languages is not None:
            model = replace(model, languages=settings.languages)
        elif (known := catalogue().get(settings.model)) is not None and known.languages:
            spoken: tuple[Language, ...] = ("zh", "en")
            languages = tuple(one for one in spoken if one in known.languages)
            model = replace(model, languages=languages)
        if not model.languages:
            raise VoiceError(
                f"the model {settings.model} speaks neither Chinese nor English; if it does, say "
                'so: languages = ["en"]',
                retryable=False,
                zh=f"模型 {settings.model} 不支持中文和英文；若支持，请设置 languages",
            )
        _speaker(settings, model)
        plan = replace(model.plan, threads=settings.threads, provider=settings.provider)
        self._model = found = replace(model, plan=plan)
        return found

    async def _running(self) -> WorkerProcess:
        """The worker, with the model loaded; started if there is none or the last one died."""
        if self._worker is not None and not self._worker.dead:
            return self._worker
        async with self._starting:
            if self._closed:
                raise VoiceError("the voice was closed", retryable=False)
            if self._worker is not None:
                if not self._worker.dead:
                    return self._worker
                ended, self._worker = self._worker, None
                await ended.stop()
                logger.warning(
                    "sherpa-onnx ended with code %s and is started again", ended.process.returncode
                )
            self._worker = await self._start()
            return self._worker

    async def _start(self) -> WorkerProcess:
        _installed()
        model = self._model
        if model is None:
            model = await asyncio.to_thread(self._look)
        _fits(model)
        try:
            started = await WorkerProcess.launch(worker, heed=True)
        except OSError as error:
            raise VoiceError(f"sherpa-onnx does not start: {error}", retryable=True) from error
        try:
            started.send(worker.LOAD, 0, model.plan.packed())
            async with asyncio.timeout(_LOAD_SEC):
                kind, _, payload = await started.receive()
            if kind != worker.READY:
                raise _not_loaded(payload.decode("utf-8", "replace"), self._settings.model)
            (self._rate,) = struct.unpack("<I", payload)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            said = await started.last_words() or "it ended without a word"
            await started.stop()
            raise _not_loaded(said, self._settings.model) from error
        except BaseException:
            started.process.kill()
            await asyncio.shield(started.stop())
            raise
        started.listen("sherpa reader")
        if any("fallback to cpu" in line.lower() for line in started.complaints):
            logger.warning(
                "this build of sherpa-onnx has no %s: voice %s runs on the CPU",
                self._settings.provider,
                self.name,
            )
        return started


async def _answer(running: WorkerProcess, answers: Answers) -> tuple[int, bytes]:
    try:
        async with asyncio.timeout(_HANG_SEC):
            answer = await answers.get()
    except TimeoutError:
        running.process.kill()
        raise WorkerDied(f"no answer for {_HANG_SEC:.0f} s") from None
    if answer is None:
        raise WorkerDied(await running.last_words() or "its process ended")
    return answer


def _installed() -> None:
    command = "pip install 'mien[neural]'"
    if find_spec("sherpa_onnx") is None:
        raise VoiceError(
            f"sherpa-onnx is not installed; install it with: {command}",
            retryable=False,
            zh=f"未安装 sherpa-onnx，请运行：{command}",
        )


def _fits(model: SherpaModel) -> None:
    """sherpa-onnx 2 has no espeak-ng any more: it would leave out every word it has no list for."""
    if "data_dir" in model.plan.fields and version("sherpa-onnx").partition(".")[0] != "1":
        command = "pip install 'sherpa-onnx<2'"
        raise VoiceError(
            "this model is pronounced by espeak-ng, which sherpa-onnx 2 no longer has; "
            f"install the last one that has it: {command}",
            retryable=False,
            zh=f"此模型依赖 espeak-ng，而 sherpa-onnx 2 已将其移除，请运行：{command}",
        )


def _folder(model: str) -> Path:
    known = catalogue()
    if model in known:
        try:
            return find_folder(model)
        except ModelError as error:
            raise VoiceError(error.en, retryable=False, zh=error.zh) from error
    folder = Path(model).expanduser()
    if not folder.exists():
        voices = (one for one in known.values() if (one.kind, one.engine) == ("tts", "sherpa"))
        names = ", ".join(one.name for one in voices)
        raise VoiceError(
            f"there is no model {model!r}: it is neither a folder nor one of {names}",
            retryable=False,
            zh=f"没有模型“{model}”：既不是文件夹，也不在以下名称之中：{names}",
        )
    return folder


def _speaker(settings: SherpaSettings, model: SherpaModel) -> int:
    """The number of the wanted speaker."""
    wanted = settings.speaker
    if isinstance(wanted, int):
        if not 0 <= wanted < model.speakers:
            raise VoiceError(
                f"the model {settings.model} has speakers 0 to {model.speakers - 1}, not {wanted}",
                retryable=False,
                zh=f"模型 {settings.model} 的说话人编号为 0 到 {model.speakers - 1}，没有 {wanted}",
            )
        return wanted
    if wanted not in model.names:
        names = ", ".join(model.names) or "only numbers"
        raise VoiceError(
            f"the model {settings.model} has no speaker {wanted!r}; it has {names}",
            retryable=False,
            zh=f"模型 {settings.model} 没有说话人“{wanted}”；现有：{names}",
        )
    return model.names.index(wanted)


def _not_loaded(why: str, model: str) -> VoiceError:
    return VoiceError(
        f"sherpa-onnx cannot load the model {model}: {why}",
        retryable=False,
        zh=f"sherpa-onnx 无法加载模型 {model}：{why}",
    )
