"""How much one voice is amplified: learned from what it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.tts.polish.loudness import LoudnessMeter

# A voice that needs more than this is badly set up, and its noise would be raised with it.
_MAX_GAIN_DB = 15.0
# From one clause to the next, unnoticed within an answer. Only an unknown voice may jump.
_STEP_DB = 1.5
_KNOWN_BLOCKS = 50
# What is remembered counts as 5 s of speech: what is heard now soon outweighs it.
_REMEMBERED_BLOCKS = _KNOWN_BLOCKS

# Peaks below this are silence, when speech is at -16 LUFS and its peaks near 0 dB. Neural voices
# rustle at -60 dB; the weakest onsets, [f] and [h], peak above -40.
_SILENCE_DB = -48.0
# The same in a voice of unknown level, which may be 15 dB too quiet.
UNKNOWN_SILENCE = 10 ** (-60 / 20)


class VoiceGain:
    """Of one voice in one language. It is constant within a clause and slow between clauses."""

    def __init__(self, target: float, expected: float | None = None) -> None:
        """target: LUFS to reach. expected: LUFS the voice is taken for until it is heard."""
        self._target = target
        self._meter = LoudnessMeter(expected, _REMEMBERED_BLOCKS)
        self._db = self._wanted()

    @property
    def loudness(self) -> float | None:
        """LUFS of the voice by itself; None while unknown."""
        return self._meter.loudness

    @property
    def gain(self) -> float:
        """To multiply by; 1 while the voice is unknown."""
        return float(10 ** (self._db / 20))

    @property
    def silence(self) -> float:
        """Peaks of the voice by itself, of full scale 1, that are silence."""
        if self.loudness is None:
            return UNKNOWN_SILENCE
        return float(10 ** (_SILENCE_DB / 20)) / self.gain

    def learn(self, powers: NDArray[np.float64]) -> None:
        """Hear ``block_powers`` of a clause before amplification; the next one may differ."""
        known = self._meter.blocks >= _KNOWN_BLOCKS
        self._meter.hear(powers)
        step = self._wanted() - self._db
        self._db += min(max(step, -_STEP_DB), _STEP_DB) if known else step

    def _wanted(self) -> float:
        if self.loudness is None:
            return 0.0
        return min(max(self._target - self.loudness, -_MAX_GAIN_DB), _MAX_GAIN_DB)
