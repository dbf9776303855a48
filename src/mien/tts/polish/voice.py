"""A ``Voice`` around a voice, whose speech is polished."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from mien.language import Language
from mien.media.tick import SAMPLE_RATE
from mien.tts.pause import JOIN_SEC, pause_after
from mien.tts.polish.clause import ClausePolish
from mien.tts.polish.gain import UNKNOWN_SILENCE, VoiceGain
from mien.tts.polish.levels import Levels
from mien.tts.polish.loudness import block_powers
from mien.tts.voice import Run, Voice, VoiceChunk, VoiceError

_WORTH_REMEMBERING = 0.3  # LU


class Polished:
    """What ``voice`` says, at 48 kHz. One serves all sessions.

    Brought to ``loudness`` by a gain that is learned from what the voice says, with true peaks
    below -1 dB; no silence in front; behind, the pause that the clause's last mark asks for.
    Sound is held back by 10 ms, and by what resampling needs; longer pauses of the voice, until
    it goes on.
    """

    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        voice: Voice,
        loudness: float | None = -16.0,
        speed: float = 1.0,
        levels: Levels | None = None,
        key: str | None = None,
    ) -> None:
        """Owns ``voice``: closes it.

        loudness: LUFS; None leaves the level as it is. speed: of the voice; pauses follow it.
        levels, key: where the voice's own level is remembered and as what (see ``level_key``).
        """
        self._voice = voice
        self._loudness = loudness
        self._speed = speed
        self._levels = levels
        self._key = key or voice.name
        self._gains: dict[Language, VoiceGain] = {}
        self._remembered: dict[Language, float] = {}

    @property
    def name(self) -> str:
        return self._voice.name

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``."""
        pause = max(pause_after("".join(run.text for run in runs)) / self._speed, JOIN_SEC)
        language = _main_language(runs)
        gain = await self._gain(language)
        clause = (
            ClausePolish(self._voice.sample_rate, pause, UNKNOWN_SILENCE, None)
            if gain is None
            else ClausePolish(self._voice.sample_rate, pause, gain.silence, gain.gain)
        )
        async with aclosing(self._voice.speak(runs)) as chunks:
            try:
                async for chunk in chunks:
                    for polished in clause.push(chunk):
                        yield polished
            except VoiceError:
                for polished in clause.finish(complete=False):
                    yield polished
                raise
        for polished in clause.finish():
            yield polished
        if gain is not None:
            gain.learn(await asyncio.to_thread(block_powers, clause.heard()))
            await self._remember(language, gain)

    async def check(self) -> None:
        """See ``Voice.check``."""
        await self._voice.check()

    async def aclose(self) -> None:
        """See ``Voice.aclose``."""
        await self._voice.aclose()

    async def _gain(self, language: Language) -> VoiceGain | None:
        if self._loudness is None:
            return None
        if language not in self._gains:
            known = None
            if self._levels is not None:
                known = await asyncio.to_thread(self._levels.get, self._key, language)
            if known is not None:
                self._remembered[language] = known
            else:  # most voices are as loud in one language as in another
                known = next((g.loudness for g in self._gains.values()), None)
            self._gains.setdefault(language, VoiceGain(self._loudness, known))
        return self._gains[language]

    async def _remember(self, language: Language, gain: VoiceGain) -> None:
        if self._levels is None or gain.loudness is None:
            return
        known = self._remembered.get(language)
        if known is None or abs(gain.loudness - known) > _WORTH_REMEMBERING:
            self._remembered[language] = gain.loudness
            await asyncio.to_thread(self._levels.put, self._key, language, gain.loudness)


def _main_language(runs: Sequence[Run]) -> Language:
    """Of most of the text; a Chinese character counts as much as an English word of four."""
    share = Counter({"zh": 0, "en": 0})
    for run in runs:
        share[run.language] += len(run.text) * (4 if run.language == "zh" else 1)
    return "zh" if share["zh"] >= share["en"] else "en"
