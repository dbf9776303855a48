"""One microphone's words, by another recogniser where the one that listens fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mien.asr.choice import Choice
from mien.asr.contract import AsrError, Recognition
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm

# What is kept of an utterance to be heard again; nobody speaks longer without a pause.
_KEPT_SAMPLES = 60 * RATE


class Relay:
    """See ``Recognition``. An utterance that one recogniser fails at is heard again by the next.

    choice: who listens now. Once the one that was wanted works again, it takes over with one of
    the next utterances.
    """

    def __init__(
        self,
        choice: Choice,
        language: Language,
        on_partial: Callable[[str], None],
        *,
        choose: Callable[[], Awaitable[Choice]],
        failed: Callable[[str, AsrError], None],
        on_choice: Callable[[Choice], None],
    ) -> None:
        """choice: of ``choose``, with a recogniser. failed: of ``Ears``. on_choice: told when
        another one listens.

        Raises:
            AsrError: as ``Recognizer.open`` does.
        """
        self.choice = choice
        self._language = language
        self._on_partial = on_partial
        self._choose = choose
        self._failed = failed
        self._on_choice = on_choice
        self._preferred = choice.recognizer
        self._recognition = self._open(choice, on_partial)
        self._next: Choice | None = None
        self._kept: list[Pcm] = []
        self._kept_samples = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def recognition(self) -> Recognition:
        """Of the recogniser that listens now."""
        return self._recognition

    @property
    def partial(self) -> str:
        return self._recognition.partial

    def begin(self) -> None:
        self._kept, self._kept_samples = [], 0
        if self._next is not None:
            try:
                self._take(self._next)
            except AsrError:
                self._recognition.begin()
            self._next = None
            return
        self._recognition.begin()
        if self.choice.recognizer is not self._preferred and self._looking is None:
            self._looking = asyncio.create_task(self._look_again(), name="look at a recogniser")

    def push(self, pcm: Pcm) -> None:
        if self._kept_samples < _KEPT_SAMPLES:
            self._kept.append(pcm)
            self._kept_samples += len(pcm)
        self._recognition.push(pcm)

    async def transcript(self) -> str:
        """See ``Recognition``. Raises AsrError when none of them has words."""
        utterance, recognition = self._kept, self._recognition
        while True:
            try:
                return await recognition.transcript()
            except AsrError as error:
                recognition = await self._instead_of(recognition, error)
            if utterance is not self._kept:  # somebody speaks again
                return await self._words_of(utterance)

    async def aclose(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(*self._closing, self._recognition.aclose())

    def _open(self, choice: Choice, on_partial: Callable[[str], None]) -> Recognition:
        assert choice.recognizer is not None
        return choice.recognizer.open(self._language, on_partial)

    async def _instead_of(self, recognition: Recognition, error: AsrError) -> Recognition:
        """One that has heard the utterance of now again. Raises ``error`` where there is none."""
        if recognition is not self._recognition:
            return self._recognition  # another utterance was first to find out
        listener = self.choice.recognizer
        assert listener is not None
        self._failed(listener.name, error)
        choice = await self._choose()
        if recognition is self._recognition:
            if choice.recognizer is None or choice.recognizer is listener:
                raise error
            self._take(choice)
        return self._recognition

    def _take(self, choice: Choice) -> None:
        recognition = self._open(choice, self._on_partial)
        recognition.begin()
        for pcm in self._kept:
            recognition.push(pcm)
        closing = asyncio.create_task(self._recognition.aclose(), name="close a recognition")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._recognition, self.choice = recognition, choice
        self._on_choice(choice)

    async def _words_of(self, utterance: list[Pcm]) -> str:
        """Of one that is over, while the next is being listened to."""
        recognition = self._open(self.choice, lambda text: None)
        try:
            recognition.begin()
            for pcm in utterance:
                recognition.push(pcm)
            return await recognition.transcript()
        finally:
            await recognition.aclose()

    async def _look_again(self) -> None:
        """Whether the preferred one works again."""
        try:
            choice = await self._choose()
            if choice.recognizer is self._preferred:
                self._next = choice
        finally:
            self._looking = None
