"""The only thread that runs a voice's network, shared by all conversations."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Pcm
from mien.tts.bert_vits2.backend import BackendError
from mien.tts.bert_vits2.batcher import Batcher, Job, Sound
from mien.tts.bert_vits2.streaming import FIRST, LARGEST, plan
from mien.tts.voice import VoiceError

if TYPE_CHECKING:
    from mien.tts.bert_vits2.backend import Backend, Sentence

logger = logging.getLogger(__name__)

CLOSE_SEC = 5.0
LEAD_STEP, LONGEST_LEAD = 8, 48
"""Frames of silence that come with the first piece: a multiple, for a length that was never decoded
before costs OpenVINO and PyTorch 0.1 s more; and at most, for more than that helps nobody."""
NO_SOUND: Pcm = np.zeros(0, np.int16)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Pace:
    """How sentences are cut and shared.

    first, largest: frames of the first piece and at most of later ones. lead: whether silence in
        front of a sentence comes on top of ``first``. It is not played, so that less would be heard
        while the next piece is made; where that takes no time, equal pieces are worth more.
    sentences, pieces: in a batch at most.
    """

    first: int = FIRST
    lead: bool = False
    largest: int = LARGEST
    sentences: int = 8
    pieces: int = 8


# On a CPU two pieces at once take as long as one after the other (0.35 s and 0.18 s of a core), and
# whoever is first would only wait. Latents of four take 30 % less than four times those of one.
ON_CPU = Pace(lead=True, sentences=4, pieces=1)
ON_GPU = Pace()


class Engine:
    """Speaks sentences with one network.

    The network is loaded, run and freed in one thread, which starts when it is first needed. What
    waits goes in one batch; a sentence is decoded piece by piece, and between any two pieces
    another sentence that is more urgent gets its turn (see ``Batcher``).
    """

    def __init__(self, load: Callable[[], Backend], pace: Pace | None = None) -> None:
        """load: called in the thread; whoever waits is told what it raises, and the next sentence
        tries again. pace: None = what suits the device."""
        self._load = load
        self._pace = pace
        self._batcher = Batcher()
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    async def speak(self, sentence: Sentence, lead: int = 0) -> AsyncGenerator[Sound, None]:
        """Its sound, as it comes. Closing the generator drops what is not computed yet.

        lead: how many symbols at its beginning are silent.

        Raises:
            VoiceError: when the network cannot be had, or fails on this sentence.
        """
        answers: asyncio.Queue[Sound | VoiceError] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(answer: Sound | VoiceError) -> None:
            try:
                loop.call_soon_threadsafe(answers.put_nowait, answer)
            except RuntimeError:
                pass  # the loop is closed: nobody listens any more

        job = Job(sentence, time.monotonic(), tell, lead)
        self._begin(job)
        try:
            while True:
                answer = await answers.get()
                if isinstance(answer, VoiceError):
                    raise answer
                yield answer
                if answer.last:
                    return
        finally:
            with self._changed:
                self._batcher.drop(job)

    async def aclose(self) -> None:
        """Free the network; speech under way fails. Works before first use and twice."""
        with self._changed:
            self._closed = True
            jobs, thread = self._batcher.clear(), self._thread
            self._changed.notify_all()
        for job in jobs:
            job.tell(_closed())
        if thread is not None:
            await asyncio.to_thread(thread.join, CLOSE_SEC)
            if thread.is_alive():
                logger.warning("Bert-VITS2 is still busy; it ends as soon as it can")

    def start(self) -> None:
        """Load the network now, in its thread, instead of with the first sentence."""
        with self._changed:
            if self._thread is None and not self._closed:
                # A daemon: a network that hangs must not keep the program from ending.
                name = "mien-bert-vits2"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def _begin(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                raise _closed()
            self._batcher.add(job)
            self.start()
            self._changed.notify_all()

    # -- the thread --------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            backend = self._load()
        except Exception as error:
            with self._changed:
                jobs, self._thread = self._batcher.clear(), None
            for job in jobs:
                job.tell(_failure(error))
            return
        pace = self._pace or (ON_CPU if backend.choice.device == "cpu" else ON_GPU)
        while jobs := self._next(pace):
            try:
                if jobs[0].latents is None:
                    self._prepare(backend, pace, jobs)
                else:
                    self._decode(backend, jobs)
            except Exception as error:  # a fault of ours; without the thread everybody would wait
                for job in jobs:
                    self._end(job, _failure(error))
        backend.close()

    def _next(self, pace: Pace) -> list[Job]:
        """Wait for work; [] at the end."""
        with self._changed:
            while not (self._closed or len(self._batcher)):
                self._changed.wait()
            if self._closed:
                return []
            return self._batcher.next(pace.sentences, pace.pieces)

    def _prepare(self, backend: Backend, pace: Pace, jobs: Sequence[Job]) -> None:
        results = _each(backend.latents, [job.sentence for job in jobs])
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Exception):
                self._end(job, _failure(result))
                continue
            job.latents = result
            lead = _lead(result.durations[: job.lead].sum()) if pace.lead else 0
            job.pieces.extend(plan(result.z.shape[1], pace.first, pace.largest, lead=lead))
            if not job.pieces:
                self._end(job, Sound(0, NO_SOUND, result.durations, last=True))

    def _decode(self, backend: Backend, jobs: Sequence[Job]) -> None:
        slabs = [job.pieces[0].of(job.latents) for job in jobs if job.latents is not None]
        results = _each(backend.decode, slabs)
        now = time.monotonic()
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Exception):
                self._end(job, _failure(result))
            elif not np.isfinite(result).all():
                self._end(job, _not_a_number())
            else:
                self._hand_out(job, result, len(result) / backend.sample_rate, now)

    def _hand_out(self, job: Job, sound: NDArray[np.float32], seconds: float, now: float) -> None:
        assert job.latents is not None
        pcm = (sound.clip(-1, 1) * np.float32(32767)).round().astype(np.int16)
        begin = job.pieces[0].begin
        job.heard(now, seconds)
        answer = Sound(begin, pcm, job.latents.durations, last=not job.pieces)
        if answer.last:
            self._end(job, answer)
        else:
            job.tell(answer)

    def _end(self, job: Job, answer: Sound | VoiceError) -> None:
        with self._changed:
            self._batcher.drop(job)
        job.tell(answer)


def _lead(silence: int) -> int:
    return min(ceil(silence / LEAD_STEP) * LEAD_STEP, LONGEST_LEAD)


def _each(
    compute: Callable[[Sequence[_Item]], list[_Result]], items: Sequence[_Item]
) -> list[_Result | Exception]:
    """One batch; if that fails, each on its own, so that a bad one does not spoil the others."""
    try:
        return list(compute(items))
    except Exception as error:
        if len(items) == 1:
            return [error]
        return [result for item in items for result in _each(compute, [item])]


def _failure(error: Exception) -> VoiceError:
    if isinstance(error, VoiceError):
        return error
    if isinstance(error, BackendError):
        return VoiceError(str(error), retryable=False, zh=error.zh)
    logger.error("Bert-VITS2 failed", exc_info=error)
    # What does not fit will not fit the next time either; memory may be free again.
    retryable = not isinstance(error, ValueError | TypeError | LookupError)
    return VoiceError(
        f"Bert-VITS2 failed: {error}", retryable=retryable, zh=f"Bert-VITS2 出错：{error}"
    )


def _not_a_number() -> VoiceError:
    return VoiceError(
        'Bert-VITS2 gave no sound but numbers that are none; try precision = "fp32"',
        retryable=False,
        zh='Bert-VITS2 的输出不是有效数值；请试试 precision = "fp32"',
    )


def _closed() -> VoiceError:
    return VoiceError("the voice was closed", retryable=False, zh="语音已关闭")
