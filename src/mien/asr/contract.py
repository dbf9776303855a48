"""What a speech recogniser is: sound of one microphone in, words out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mien.language import Language
from mien.media.tick import Pcm


class AsrError(Exception):
    """A recogniser cannot do its work; the message says why and what to do.

    zh: the same in Chinese. retryable: whether the next utterance may go better.
    """

    def __init__(self, message: str, *, zh: str | None = None, retryable: bool = True) -> None:
        super().__init__(message)
        self.zh = zh or message
        self.retryable = retryable


class Recognition(Protocol):
    """The words of one microphone, utterance after utterance. On one event loop.

    partial: the words of the utterance so far, as they can be shown; "" while there are none.
    """

    @property
    def partial(self) -> str: ...

    def begin(self) -> None:
        """A new utterance begins; what was pushed before is forgotten, and with it its words."""

    def push(self, pcm: Pcm) -> None:
        """int16[n] mono 16 kHz, in order; speech and the pauses in it. Never waits."""

    async def transcript(self) -> str:
        """The words of everything pushed since :meth:`begin`, as good as they get; "" for none.

        Asked in a pause, maybe several times for one utterance: more may be pushed afterwards, and
        the next answer holds the words of it all. Asked again without new sound it costs nothing.
        When ``begin`` is called meanwhile, the answer is still of the utterance it was asked for.

        Raises:
            AsrError: when there are no words for a reason. The next ``begin`` is a new chance.
        """

    async def aclose(self) -> None:
        """Let go of everything. Whoever waits for a transcript gets AsrError."""


class Recognizer(Protocol):
    """Opens recognitions; one for all sessions of a server, thread-safe where it has to be.

    name: as in the settings. label_en, label_zh: for people. languages: that it understands.
    streaming: whether ``partial`` grows while somebody speaks.
    """

    name: str
    label_en: str
    label_zh: str
    languages: frozenset[Language]
    streaming: bool

    async def check(self) -> None:
        """Whether it could listen now, as far as can be told within 2 s and without loading it.

        Raises:
            AsrError: saying what is missing and how to get it.
        """

    async def warm_up(self) -> None:
        """Load what takes long. Raises AsrError saying what is missing and how to get it."""

    def open(self, language: Language, on_partial: Callable[[str], None]) -> Recognition:
        """Begin to listen to one microphone.

        on_partial: called on the event loop with the words so far, whenever they change.

        Raises:
            AsrError: for a language it does not understand, or one listener too many.
        """

    async def aclose(self) -> None:
        """Unload."""
