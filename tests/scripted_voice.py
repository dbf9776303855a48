"""A voice that says what it is told to and breaks where it is told to.

Every word is a tone of its own (a constant, its number in ``VOCABULARY``), every mark a pause, so
that a test can count in the sound how much of which word was heard.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mien.media.tick import Pcm
from mien.tts.pace import paced_words
from mien.tts.voice import Run, SpokenWord, VoiceChunk, VoiceError

RATE = 48_000
PAUSE_SEC = 0.2
_SAYABLE = re.compile(r"[^\W_]")

Fault = Literal["error", "wrong key", "bug", "hang"]


@dataclass(frozen=True)
class Script:
    """One clause: it breaks after ``after`` seconds of sound with ``fault``; None: it does not."""

    fault: Fault | None = None
    after: float = 0.0


@dataclass
class ScriptedVoice:
    """script: of its clauses, in order; the last one goes on for ever.

    timed: whether it tells when words begin. chunk: samples. pace: as a factor of the usual one.
    """

    name: str
    script: list[Script] = field(default_factory=lambda: [Script()])
    timed: bool = True
    chunk: int = 4800
    pace: float = 1.0
    why_not: VoiceError | None = None
    sample_rate: int = RATE
    heard: list[list[Run]] = field(default_factory=list)
    ended: int = 0
    closed: int = 0
    stubborn: bool = False
    checks: int = 0

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        script = self.script[min(len(self.heard), len(self.script) - 1)]
        self.heard.append(list(runs))
        pcm, words = performance(runs, self.pace)
        breaks = len(pcm) if script.fault is None else round(script.after * RATE)
        try:
            for begin in range(0, min(breaks, len(pcm)), self.chunk):
                piece = pcm[begin : min(begin + self.chunk, breaks)]
                yield VoiceChunk(piece, None, self._words(words, begin, begin + len(piece)))
                await asyncio.sleep(0)
            await self._break(script.fault)
        finally:
            self.ended += 1

    def _words(self, words: Sequence[SpokenWord], begin: int, end: int) -> tuple[SpokenWord, ...]:
        at = begin / RATE
        return tuple(
            SpokenWord(w.run, w.begin, w.stop, w.start - at, w.end - at)
            for w in words
            if self.timed and begin <= round(w.start * RATE) < end
        )

    async def _break(self, fault: Fault | None) -> None:
        if fault == "error":
            raise VoiceError("the server hung up", retryable=True, zh="服务器断开")
        if fault == "wrong key":
            raise VoiceError("the key is wrong", retryable=False, zh="密钥错误")
        if fault == "bug":
            raise ZeroDivisionError("division by zero")
        while fault == "hang":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise
                self.stubborn = False  # it ends when it is told a second time

    async def check(self) -> None:
        self.checks += 1
        if self.why_not is not None:
            raise self.why_not

    async def aclose(self) -> None:
        self.closed += 1


VOCABULARY: dict[str, int] = {}


def tone(word: str) -> int:
    return 1000 + 10 * VOCABULARY.setdefault(word, len(VOCABULARY))


def performance(runs: Sequence[Run], pace: float = 1.0) -> tuple[Pcm, list[SpokenWord]]:
    """The sound of ``runs`` at RATE, and its words in seconds."""
    pieces: list[Pcm] = []
    words: list[SpokenWord] = []
    at = 0
    for index, run in enumerate(runs):
        for word in paced_words(run.text):
            text = run.text[word.begin : word.stop]
            if _SAYABLE.search(text):
                length = round((word.end - word.start) * pace * RATE)
                words.append(
                    SpokenWord(index, word.begin, word.stop, at / RATE, (at + length) / RATE)
                )
                pieces.append(np.full(length, tone(text), np.int16))
                at += length
            if not text[-1].isalnum():
                pieces.append(np.zeros(round(PAUSE_SEC * RATE), np.int16))
                at += len(pieces[-1])
    return np.concatenate([np.zeros(0, np.int16), *pieces]), words


def counted(pcm: Pcm, runs: Sequence[Run], pace: float = 1.0) -> dict[str, float]:
    """How often each word of ``runs`` is heard in ``pcm``: 1.5 is once and a half."""
    _, words = performance(runs, pace)
    found = {}
    for word in words:
        text = runs[word.run].text[word.begin : word.stop]
        whole = round((word.end - word.start) * RATE)
        found[text] = float((pcm == tone(text)).sum()) / whole
    return found
