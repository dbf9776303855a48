"""Whether the presenter is awake, where it sleeps until it is called by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mien.asr.wake_word import WakeWord, WakeWords
from mien.media.tick import Pcm


class Wakefulness:
    """Of one microphone. on_change: called when it falls asleep or wakes."""

    def __init__(self, words: WakeWords, awake_sec: float, on_change: Callable[[], None]) -> None:
        self.awake = False
        self._words = words
        self._awake_sec = awake_sec
        self._on_change = on_change
        self._word: WakeWord | None = None
        self._sleep: asyncio.TimerHandle | None = None

    @property
    def phrases(self) -> tuple[str, ...]:
        """What wakes it."""
        return self._words.phrases

    def answer_to(self, words: WakeWords) -> None:
        """Be called otherwise, from the next :meth:`open` on."""
        self._words = words
        self._on_change()

    async def open(self) -> None:
        """Wait for the name at another microphone."""
        await self.aclose()
        await self._words.warm_up()
        self._word = self._words.open()

    def push(self, pcm: Pcm) -> None:
        """All of the microphone's sound, int16[n] mono 16 kHz."""
        if self._word is not None and self._word.push(pcm) is not None:
            self.stay_awake()

    def called_in(self, text: str) -> str | None:
        """What is said to the presenter in ``text`` after its name; None without the name."""
        return None if self._word is None else self._word.in_text(text)

    def stay_awake(self) -> None:
        """For a while from now on, without being called again."""
        if self._sleep is not None:
            self._sleep.cancel()
        self._sleep = asyncio.get_running_loop().call_later(self._awake_sec, self._fall_asleep)
        if not self.awake:
            self.awake = True
            self._on_change()

    def _fall_asleep(self) -> None:
        self.awake = False
        self._on_change()

    async def aclose(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
        self.awake = False
        word, self._word = self._word, None
        if word is not None:
            await word.aclose()
