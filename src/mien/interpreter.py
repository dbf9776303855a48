"""Who turns what is said in one session into words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger

from mien.asr.browser import BrowserRecognition
from mien.asr.choice import Choice
from mien.asr.contract import AsrError
from mien.asr.relay import Relay
from mien.ears import AUTO, Ears
from mien.events import Message
from mien.language import Language
from mien.media.tick import Pcm
from mien.problems import Problem


class Interpreter:
    """One recogniser after the other, as they are chosen, fail and come back.

    language: that is listened to. engine: the wanted one's name, or "auto". browser: whether the
    page has one of its own. on_partial: called with the words so far. on_change: called when
    another one listens.
    """

    def __init__(
        self,
        ears: Ears,
        language: Language,
        on_partial: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        self.engine = AUTO
        self.browser = False
        self.choice = Choice(None)
        self._chosen = False
        self._ears = ears
        self.language = language
        self._on_partial = on_partial
        self._on_change = on_change
        self._relay: Relay | None = None
        self._choosing = asyncio.Lock()

    @property
    def listens(self) -> bool:
        """Whether there is anybody who could understand."""
        return self._relay is not None

    async def choose(self) -> None:
        """Have the one listen that should by now. Loading it may take seconds, the first time."""
        async with self._choosing:  # the page asks while a microphone connects
            choice = await self._pick()
            if choice.recognizer is not self.choice.recognizer or self._relay is None:
                try:
                    await self._listen_with(choice)
                except AsrError as error:
                    choice = Choice(None, str(error), error.zh)
            self.choice, self._chosen = choice, True
        self._on_change()

    async def understand(self, language: Language) -> None:
        """Listen to this language from now on; what is being said is lost."""
        async with self._choosing:
            if language == self.language:
                return
            self.language = language
            await self.aclose()
        if self._chosen:
            await self.choose()

    async def _pick(self) -> Choice:
        return await self._ears.choose(self.language, self.engine, self.browser)

    async def _listen_with(self, choice: Choice) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.aclose()
        if choice.recognizer is not None:
            self._relay = Relay(
                choice,
                self.language,
                self._on_partial,
                choose=self._pick,
                failed=self._ears.failed,
                on_choice=self._replaced,
            )

    def _replaced(self, choice: Choice) -> None:
        self.choice = choice
        self._on_change()

    def begin(self, pcm: Pcm) -> None:
        """A new utterance begins with this sound."""
        if self._relay is not None:
            self._relay.begin()
            self.push(pcm)

    def push(self, pcm: Pcm) -> None:
        """int16[n] mono 16 kHz that follows."""
        if self._relay is not None and len(pcm):
            self._relay.push(pcm)

    @property
    def partial(self) -> str:
        """The words so far."""
        return "" if self._relay is None else self._relay.partial

    @property
    def guesses(self) -> bool:
        """Whether it makes words of any sound, coughs too."""
        recognizer = self.choice.recognizer
        return recognizer is not None and recognizer.name == "pocketsphinx"

    async def transcript(self) -> str:
        """The words of the utterance. Raises AsrError when nobody has any, for a reason."""
        return "" if self._relay is None else await self._relay.transcript()

    def words(self, text: str, final: bool) -> bool:
        """What the page's own recogniser has understood. False when another one listens."""
        recognition = None if self._relay is None else self._relay.recognition
        if not isinstance(recognition, BrowserRecognition):
            return False
        recognition.hear(text, final)
        return True

    @property
    def state(self) -> Message:
        """What the page is told."""
        recognizer = self.choice.recognizer
        label = None
        if recognizer is not None:
            label = {"en": recognizer.label_en, "zh": recognizer.label_zh}
        return {
            "wanted": self.engine,
            "engine": None if recognizer is None else recognizer.name,
            "label": label,
            "why": self.choice.why,
            "streaming": recognizer is not None and recognizer.streaming,
        }

    async def aclose(self) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.aclose()


def not_understood(error: Exception) -> Problem:
    """What people are told of a failure."""
    if not isinstance(error, AsrError):  # a fault of ours: the log has the traceback
        logger.opt(exception=error).error("a pause could not be judged")
        error = AsrError(type(error).__name__)
    logger.warning(f"nothing was understood: {error}")
    return Problem(
        "asr_failed",
        f"What you said could not be understood: {error}",
        f"未能识别您说的话：{error.zh}",
        retryable=error.retryable,
        stage="asr",
    )
