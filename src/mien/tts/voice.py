"""The contract of a voice: runs of text in, sound with phone and word times out.

A voice knows nothing of pipelines, sessions or turns. It is given text that is already
normalised (numbers, dates and symbols written as they are read) and split into runs of one
language each, and it answers with pieces of sound in the order they are heard. Locally
synthesised voices, neural ones and those behind HTTP all implement the same two methods.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mien.language import Language
from mien.media.speech import Phone
from mien.media.tick import Pcm


class VoiceError(Exception):
    """A voice cannot speak.

    retryable: True when the same call may succeed later (the service was busy, a process
        died); False when a person must change something first (not installed, bad key).
    zh: the same in Chinese.
    """

    def __init__(self, message: str, *, retryable: bool, zh: str | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.zh = zh or message


@dataclass(frozen=True)
class Run:
    """A piece of text in one language, as it is to be read."""

    language: Language
    text: str


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """``runs[run].text[begin:stop]``, heard from ``start`` to ``end`` seconds.

    In Chinese a "word" is one character.
    """

    run: int
    begin: int
    stop: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class VoiceChunk:
    """A piece of speech, in order.

    pcm: int16[n] mono at the voice's ``sample_rate``.
    phones: those that begin within this chunk, in order, in seconds from its first sample;
        the last one may end in the next chunk. None when the voice gives no times. Phones found
        by listening come in later, mostly empty chunks at negative times, and replace what was
        told before of the time from the first of them on.
    words: those that begin within this chunk, timed likewise; empty when the voice gives none.
        A service that tells them after their sound makes their times negative.
    by: the name of the voice that said it, where several take turns (see ``FallbackVoice``).
    """

    pcm: Pcm
    phones: tuple[Phone, ...] | None = None
    words: tuple[SpokenWord, ...] = ()
    by: str = ""


class Voice(Protocol):
    """A way to speak, shared by all sessions; ``speak`` may be called concurrently."""

    @property
    def name(self) -> str:
        """What the user chose it by, e.g. "espeak"."""
        ...

    @property
    def sample_rate(self) -> int:
        """Of every chunk, in Hz. Constant for the voice's life."""
        ...

    def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """Say one clause (an async generator; starts what it needs on first use).

        Text without anything to pronounce yields nothing. Closing the generator or
        cancelling the task that iterates it stops the synthesis within 20 ms. Leaving the
        loop early does not close a generator; hold it in ``contextlib.aclosing``.

        Raises:
            VoiceError: when it cannot be said; what was yielded before is valid speech.
        """
        ...

    async def check(self) -> None:
        """Find out, without speaking and within 2 s, whether the voice could speak now.

        Raises:
            VoiceError: saying what is missing (a package, a model, a server, a key) and what
                to do about it.
        """
        ...

    async def aclose(self) -> None:
        """End everything the voice owns. Works before first use and twice.

        Speech under way ends with a ``VoiceError``.
        """
        ...
