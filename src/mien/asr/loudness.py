"""How loud a microphone is, and how loud it is while nobody speaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP = 160
"""Samples from level to level: 10 ms at 16 kHz."""

# The floor sinks to a quieter sound at once (a third of the way per step), and climbs by 4 dB a
# second: a fan that starts is the new floor after some seconds, a shout is over before that.
_SINK, _CLIMB_DB = 0.3, 0.04
# Digital silence, or a noise gate's: what rises from there must be as loud as a whisper to matter.
_LOWEST_DBFS = -70.0
_SPEECH = 0.5
# Hum and rumble hide the hiss a word begins with; a difference of neighbours takes them away
# (pre-emphasis, as in any front end of speech recognition).
_PRE_EMPHASIS = 0.97
_TONAL = 0.9


class Loudness:
    """Level in steps of 10 ms, and the floor it rises from.

    level_dbfs: RMS of the last step. rise_db: how much the last step is above the floor, both
    without their bass.
    """

    def __init__(self) -> None:
        self.level_dbfs = _LOWEST_DBFS
        self.rise_db = 0.0
        self._floor: float | None = None
        self._last = np.zeros(1, np.float32)

    def push(self, sound: NDArray[np.float32], probability: float) -> None:
        """float32[160], -1…1. probability: of speech, lately; speech is never the floor."""
        self.level_dbfs = dbfs(sound)
        level = max(dbfs(_treble(sound, self._last)), _LOWEST_DBFS)
        self._last = sound[-1:]
        if self._floor is None:
            self._floor = level
        self.rise_db = level - self._floor
        if self.rise_db < 0:
            self._floor += _SINK * self.rise_db
        elif probability < _SPEECH:
            self._floor += min(_CLIMB_DB, self.rise_db)


def is_tonal(sound: NDArray[np.float32]) -> bool:
    """Whether nine tenths of float32[n] lie in 200 Hz around one tone (with n = 320).

    Of the first 20 ms of 200 spoken sentences none was; of beeps all were, of knocks a third.
    """
    spectrum = np.abs(np.fft.rfft(_treble(sound, sound[:1]) * np.hanning(len(sound)))) ** 2
    peak = int(np.argmax(spectrum))
    return bool(spectrum[max(0, peak - 2) : peak + 3].sum() > _TONAL * spectrum.sum() > 0)


def _treble(sound: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without bass. before: the one sample before it."""
    neighbours = np.concatenate([before, sound[:-1]])
    return (sound - _PRE_EMPHASIS * neighbours).astype(np.float32)


def dbfs(sound: NDArray[np.float32]) -> float:
    """RMS of float32[n], -1…1, in decibels; -100 for digital silence."""
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-10))
