"""The voice that needs nothing: espeak-ng, Chinese and English, in a worker process.

It sounds like a robot. It proves the whole way from text to lips without a download, a key or
a GPU, and its phone times are exact to the sample.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import struct
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.tts import espeak_worker as worker
from mien.tts.espeak_settings import EspeakSettings
from mien.tts.espeak_timing import Passage, PassageTimer, plan, spelled
from mien.tts.voice import Run, VoiceChunk, VoiceError

logger = logging.getLogger(__name__)

# Output of espeak-ng's own synthesiser; the worker confirms it.
SAMPLE_RATE = 22_050

_ATTEMPTS = 3
# The longest request takes 60 ms. A worker that says nothing for this long has hung.
_HANG_SEC = 10.0
_START_SEC = 20.0
_STOP_SEC = 2.0
# espeak-ng leaks about 2 kB each time it is loaded; 10 MB is where it starts afresh.
_RETIRE_REQUESTS = 5_000


@dataclass(frozen=True, slots=True)
class EspeakLanguage:
    """A language that is installed: ``code`` serves as ``EspeakStyle.voice``."""

    code: str
    name: str


_Answers = asyncio.Queue[tuple[int, bytes] | None]  # kind and payload; None: the worker died


class _WorkerDied(Exception):
    """The worker ended or hung in the middle of a request."""


@dataclass(slots=True)
class _Worker:
    """One worker process, the task that reads from it, and who waits for what it says."""

    process: asyncio.subprocess.Process
    reader: asyncio.Task[None] | None = None
    waiting: dict[int, _Answers] = field(default_factory=dict)
    dead: bool = False
    served: int = 0

    @property
    def usable(self) -> bool:
        return not self.dead and (self.served < _RETIRE_REQUESTS or bool(self.waiting))

    def send(self, kind: int, request: int, payload: bytes = b"") -> None:
        pipe = self.process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(worker.HEADER.pack(kind, request, len(payload)) + payload)

    async def receive(self) -> tuple[int, int, bytes]:
        assert self.process.stdout is not None
        head = await self.process.stdout.readexactly(worker.HEADER.size)
        kind, request, length = worker.HEADER.unpack(head)
        return kind, request, await self.process.stdout.readexactly(length)

    async def read(self) -> None:
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

    async def stop(self) -> None:
        """End process and reader, by force if it does not end with its input."""
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
            if self.reader is not None:
                self.reader.cancel()
        await self.process.wait()
        if self.reader is not None:
            await asyncio.wait([self.reader])


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
        self._worker: _Worker | None = None
        self._starting = asyncio.Lock()
        self._closed = False
        self._ids = itertools.count(1)
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
        with self._listening(running) as (request, answers):
            running.send(worker.VOICES, request)
            try:
                _, payload = await self._answer(running, answers)
            except _WorkerDied as error:
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
        passages = [passage for request in plan(runs) for passage in request]
        if not passages:
            return []
        running = await self._running()
        with self._listening(running) as (request, answers):
            segments = [self._segment(passage) for passage in passages]
            running.send(worker.SPELL, request, worker.pack_segments(segments))
            try:
                kind, payload = await self._answer(running, answers)
            except _WorkerDied as error:
                raise VoiceError(str(error), retryable=True) from error
        if kind != worker.SPELLING:
            raise VoiceError(payload.decode("utf-8", "replace"), retryable=False)
        lines = payload.decode().split("\n")
        return [
            symbols
            for passage, line in zip(passages, lines, strict=True)
            for word in line.split(" ")
            if (symbols := spelled(word, passage.language, stress))
        ]

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
                except _WorkerDied as error:
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
        with self._listening(running) as (request, answers):
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

    @contextlib.contextmanager
    def _listening(self, running: _Worker) -> Iterator[tuple[int, _Answers]]:
        request, answers = next(self._ids), _Answers()
        if running.dead:
            answers.put_nowait(None)
        running.waiting[request] = answers
        running.served += 1
        try:
            yield request, answers
        finally:
            del running.waiting[request]

    async def _answer(self, running: _Worker, answers: _Answers) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_HANG_SEC):
                answer = await answers.get()
        except TimeoutError:
            running.process.kill()
            raise _WorkerDied(f"no answer for {_HANG_SEC:.0f} s") from None
        if answer is None:
            raise _WorkerDied("its process ended")
        return answer

    async def _running(self) -> _Worker:
        """The worker, started if there is none, the last one died, or it has served its time."""
        if self._worker is not None and self._worker.usable:
            return self._worker
        async with self._starting:
            if self._closed:
                raise VoiceError("the voice was closed", retryable=False)
            if self._worker is not None:
                if self._worker.usable:
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

    async def _start(self) -> _Worker:
        # By its path, and with -P, so that nothing but the standard library is on the way.
        path = Path(worker.__file__)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(path),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise VoiceError(f"espeak-ng does not start: {error}", retryable=True) from error
        started = _Worker(process)
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
            process.kill()
            await asyncio.shield(started.stop())
            raise
        started.reader = asyncio.create_task(started.read(), name="espeak reader")
        return started
