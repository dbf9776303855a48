"""One voice saying one clause, given up when it lets wait too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, Voice, VoiceChunk, VoiceError

logger = logging.getLogger(__name__)


class LateVoice(VoiceError):
    """A voice let wait longer than it may."""

    def __init__(self, seconds: float, first: bool) -> None:
        super().__init__(
            f"no {'sound' if first else 'more sound'} within {seconds:g} s",
            retryable=True,
            zh=f"{seconds:g} 秒内没有{'' if first else '后续'}声音",
        )


class Attempt:
    """Begins at once, in ``task``; the voice is never further ahead than a chunk.

    The voice runs in a task of its own because one that hangs may not end when it is told to:
    then it is left behind, and what it says later is not heard.
    """

    def __init__(self, voice: Voice, settings: VoiceSettings, runs: Sequence[Run]) -> None:
        self._voice = voice
        self._settings = settings
        self._patience = settings.first_sound_sec
        self._sounded = False
        # None: the clause is over.
        self._queue = asyncio.Queue[VoiceChunk | VoiceError | None](1)
        self.task = asyncio.create_task(self._speak(runs), name=f"voice {voice.name}")

    async def next(self) -> VoiceChunk | None:
        """The next chunk; None when the clause is over. Chunks without sound buy no time.

        Raises:
            VoiceError: the voice's own, or LateVoice.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._patience):
                got = await self._queue.get()
        except TimeoutError:
            each = self._settings
            limit = each.stall_sec if self._sounded else each.first_sound_sec
            raise LateVoice(limit, first=not self._sounded) from None
        if isinstance(got, VoiceError):
            raise got
        if got is not None and len(got.pcm):
            self._sounded, self._patience = True, self._settings.stall_sec
        else:
            self._patience = max(0.0, self._patience - (clock() - began))
        return got

    async def _speak(self, runs: Sequence[Run]) -> None:
        try:
            async with aclosing(self._voice.speak(runs)) as chunks:
                async for chunk in chunks:
                    await self._queue.put(chunk)
        except VoiceError as error:
            await self._queue.put(error)
        except asyncio.CancelledError:
            # Whoever still listens need not wait until their patience is over.
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(VoiceError("it was stopped", retryable=True, zh="已停止"))
            raise
        except Exception as error:  # a fault in one voice must not silence the others
            logger.exception("voice %s is faulty", self._voice.name)
            await self._queue.put(VoiceError(f"{type(error).__name__}: {error}", retryable=True))
        else:
            await self._queue.put(None)
