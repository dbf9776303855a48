"""The voice that needs nothing: espeak-ng, Chinese and English, in a worker process.

It sounds like a robot. It proves the whole way from text to lips without a download, a key or
a GPU, and its phone times are exact to the sample.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from mien.tts import espeak_worker as worker
from mien.tts.espeak_settings import EspeakSettings
from mien.tts.espeak_timing import Passage, PassageTimer, plan, spelled
from mien.tts.voice import Run, VoiceChunk, VoiceError
from mien.tts.worker_process import Answers, WorkerDied, WorkerProcess

logger = logging.getLogger(__name__)

# Output of espeak-ng's own synthesiser; the worker confirms it.
SAMPLE_RATE = 22_050

_ATTEMPTS = 3
# The longest request takes 60 ms. A worker that says nothing for this long has hung.
_HANG_SEC = 10.0
_START_SEC = 20.0
# espeak-ng leaks about 2 kB each time it is loaded; 10 MB is where it starts afresh.
_RETIRE_REQUESTS = 5_000


@dataclass(frozen=True, slots=True)
class EspeakLanguage:
    """A language that is installed: ``code`` serves as ``EspeakStyle.voice``."""

    code: str
    name: str


class EspeakVoice:
    """espeak-ng as a ``Voice``; belongs to the event loop it is first used in.

    One worker serves every session. It makes five minutes of speech in a second, and each
    session asks for one request (a clause, at most 25 s of speech or 60 ms of work) at a time,
    so that they take turns in the order in which they come; a pool would gain nothing.

    A worker that dies is replaced, and its request is spoken again without what was already
    handed out: the same text gives the same samples, so that nothing is heard of it.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, name: str = "espeak", settings: EspeakSettings | None = None) -> None:
        self.name = name
        self._styles = (settings or EspeakSettings()).styles()
        self._worker: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self._closed = False
        self.restarts = 0
        """How many workers have died and been replaced."""

    async def start(self) -> None:
        """Start the worker now (about 60 ms) instead of with the first text.

        Raises:
            VoiceError: when espeak-ng is not installed (not retryable) or does not start.
        """
        await self._running()

    async def check(self) -> None:
        """See ``Voice.check``."""
        await self._running()

    async def aclose(self) -> None:
        """End the worker. Works before the start and twice; speech under way fails."""
        self._closed = True
        async with self._starting:
            ended, self._worker = self._worker, None
            if ended is not None:
                await ended.stop()

    async def languages(self) -> tuple[EspeakLanguage, ...]:
        """List the languages espeak-ng can speak, as installed."""
        running = await self._running()
        with running.request() as (request, answers):
            running.send(worker.VOICES, request)
            try:
                _, payload = await self._answer(running, answers)
            except WorkerDied as error:
                raise VoiceError(str(error), retryable=True) from error
        rows = (line.split("\t") for line in payload.decode().splitlines())
        return tuple(EspeakLanguage(code, name) for code, name in rows)

    async def phonemes(self, runs: Sequence[Run], stress: bool = False) -> list[list[str]]:
        """How the text is pronounced, without saying it: the IPA symbols of each word.

        A Mandarin word is one syllable. Costs 0.1 ms for a sentence.
        stress: leave "ˈ" or "ˌ" before stressed vowels.

        Raises:
            VoiceError: when espeak-ng is not there or fails.
        """
        return [word for _, words in await self.spellings(runs, stress) for word in words]

    async def spellings(
        self, runs: Sequence[Run], stress: bool = False
    ) -> list[tuple[Passage, list[list[str]]]]:
        """As ``phonemes``, with the piece of text that words are of."""
        passages = [passage for request in plan(runs) for passage in request]
        if not passages:
            return []
        running = await self._running()
        with running.request() as (request, answers):
            segments = [self._segment(passage) for passage in passages]
            running.send(worker.SPELL, request, worker.pack_segments(segments))
            try:
                kind, payload = await self._answer(running, answers)
            except WorkerDied as error:
                raise VoiceError(str(error), retryable=True) from error
        if kind != worker.SPELLING:
            raise VoiceError(payload.decode("utf-8", "replace"), retryable=False)
        found = []
        for passage, line in zip(passages, payload.decode().split("\n"), strict=True):
            words = (spelled(word, passage.language, stress) for word in line.split(" "))
            found.append((passage, [word for word in words if word]))
        return found

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``. Each chunk is about a word; the last ends with a pause."""
        for passages in plan(runs):
            given = failures = 0
            while True:
                try:
                    chunks = self._attempt(passages)
                    async with contextlib.aclosing(chunks):
                        index = 0
                        async for chunk in chunks:
                            index += 1
                            if index > given:
                                given += 1
                                yield chunk
                    break
                except WorkerDied as error:
                    failures += 1
                    if self._closed:
                        raise VoiceError("the voice was closed", retryable=False) from error
                    if failures >= _ATTEMPTS:
                        why = f"espeak-ng failed {failures} times on the same text: {error}"
                        raise VoiceError(why, retryable=True) from error

    async def _attempt(self, passages: Sequence[Passage]) -> AsyncGenerator[VoiceChunk, None]:
        running = await self._running()
        segments = [self._segment(passage) for passage in passages]
        timers = [
            PassageTimer(passage, SAMPLE_RATE, pace=150 / segment.rate)
            for passage, segment in zip(passages, segments, strict=True)
        ]
        at = 0
        with running.request() as (request, answers):
            finished = False
            try:
                running.send(worker.SAY, request, worker.pack_segments(segments))
                while not finished:
                    kind, payload = await self._answer(running, answers)
                    if kind == worker.PIECE:
                        index, pcm, events = worker.unpack_piece(payload)
                    elif kind == worker.DONE:
                        index, pcm, events, finished = len(timers), b"", [], True
                    else:
                        finished = True
                        raise VoiceError(payload.decode("utf-8", "replace"), retryable=False)
                    while at < index:  # the passage before this one is complete
                        for chunk in timers[at].finish():
                            yield chunk
                        at += 1
                    if not finished:
                        for chunk in timers[at].feed(pcm, events):
                            yield chunk
            finally:
                if not finished:
                    running.send(worker.CANCEL, request)

    def _segment(self, passage: Passage) -> worker.Segment:
        style = self._styles[passage.language]
        return worker.Segment(style.voice, style.rate, style.pitch, style.range, passage.text)

    async def _answer(self, running: WorkerProcess, answers: Answers) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_HANG_SEC):
                answer = await answers.get()
        except TimeoutError:
            running.process.kill()
            raise WorkerDied(f"no answer for {_HANG_SEC:.0f} s") from None
        if answer is None:
            raise WorkerDied("its process ended")
        return answer

    async def _running(self) -> WorkerProcess:
        """The worker, started if there is none, the last one died, or it has served its time."""
        if self._worker is not None and _usable(self._worker):
            return self._worker
        async with self._starting:
            if self._closed:
                raise VoiceError("the voice was closed", retryable=False)
            if self._worker is not None:
                if _usable(self._worker):
                    return self._worker
                ended, self._worker = self._worker, None
                died = ended.dead
                await ended.stop()
                if died:
                    self.restarts += 1
                    code = ended.process.returncode
                    logger.warning("espeak-ng ended with code %s and is started again", code)
            self._worker = await self._start()
            return self._worker

    async def _start(self) -> WorkerProcess:
        try:
            started = await WorkerProcess.launch(worker)
        except OSError as error:
            raise VoiceError(f"espeak-ng does not start: {error}", retryable=True) from error
        try:
            async with asyncio.timeout(_START_SEC):
                kind, _, payload = await started.receive()
            if kind != worker.HELLO:
                raise VoiceError(payload.decode("utf-8", "replace"), retryable=False)
            (rate,) = struct.unpack("<I", payload)
            if rate != SAMPLE_RATE:
                why = f"espeak-ng speaks at {rate} Hz, expected {SAMPLE_RATE}"
                raise VoiceError(why, retryable=False)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            await started.stop()
            raise VoiceError("espeak-ng does not start: no greeting", retryable=True) from error
        except BaseException:
            started.process.kill()
            await asyncio.shield(started.stop())
            raise
        started.listen("espeak reader")
        return started


def _usable(running: WorkerProcess) -> bool:
    return not running.dead and (running.served < _RETIRE_REQUESTS or bool(running.waiting))
