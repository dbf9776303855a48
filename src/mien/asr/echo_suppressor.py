"""Whether what a microphone hears, after the echo filter, is still our own voice.

An echo is about as loud against what was played as echoes were before, in each band (a residual
echo suppressor by coupling factors: Enzner, Buchner, Favrot & Kuech 2014, "Acoustic Echo Control").
Whoever speaks over it is louder than that somewhere. It is all or nothing, since bands that are
taken out of speech cost a recogniser more than the rest of an echo behind it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.asr.echo_reference import BANDS, Levels

# Before anything is known, what comes 10 dB weaker than it was played, or weaker, is ours.
_FIRST_DB, _FIRST_SPREAD_DB = np.float32(-16), np.float32(2.4)
# Of each frame, of a third of a second. Somebody who speaks is learnt ten times as slowly: were it
# not at all, a loudspeaker that is turned up would be somebody for ever.
_LEARN, _LEARN_SPEECH = np.float32(0.03), np.float32(0.003)
# That a frame of speech counts: somebody's voice is 40 dB above what is played in a pause of ours.
_MOST_OFF_DB = np.float32(8)
_AUDIBLE_DB = np.float32(-60)
# How far above an echo's usual level it hardly ever is. Less than 2.5 deviations lets clipping of
# a small loudspeaker through, more makes deaf.
_MARGIN_DB, _DEVIATIONS = np.float32(6), np.float32(2.5)
_ABOVE_NOISE_DB = np.float32(6)
_MOST_DB = 15  # that a band counts
# dB against what was played; the faintest echo that matters is 10 dB louder.
_NOTHING_DB = -40.0
# dB above what is expected, of all bands and lately: some five bands by 6 dB.
_NEAR_DB, _STILL_NEAR_DB = 30.0, 10.0
_FORGET, _FORGET_ELSEWHERE = 0.6, np.float32(0.7)
# Frames. As long as the stop of a "t"; and how long somebody stays somebody, at most, and longer
# with every frame.
_HOLD, _SURE, _SURER = 20, 100, 5
_NOISE_CLIMBS_DB = np.float32(0.02)


class EchoSuppressor:
    """Learns how loud echoes are, and lets pass what is louder.

    noise: float32[20], dB of each band while nothing sounds.
    """

    def __init__(self) -> None:
        self.noise = np.full(BANDS, -60, np.float32)
        # Rows: of what the microphone hears, and of what the filter leaves of it; dB against what
        # was played, and their deviation.
        self._usual = np.full((2, BANDS), _FIRST_DB, np.float32)
        self._spread = np.full((2, BANDS), _FIRST_SPREAD_DB, np.float32)
        self._evidence = 0.0
        self._elsewhere = np.zeros(1, np.float32)
        self._hold = self._sure = 0

    @property
    def passing(self) -> bool:
        """Whether somebody else spoke just now."""
        return self._hold > 0

    @property
    def nothing_returns(self) -> bool:
        """Whether, as far as is known, what is played does not come back: headphones, mostly."""
        return float(self._usual[0].max()) < _NOTHING_DB

    def moved(self) -> None:
        """The filter begins anew: it leaves everything."""
        self._usual[1], self._spread[1] = self._usual[0], self._spread[0]

    def passes(
        self, both: Levels, played: Levels, anywhere: Callable[[], Levels], ours: bool
    ) -> bool:
        """Whether somebody else speaks too.

        both: float32[2, 20], dB of the microphone's next 10 ms before and after the filter.
        played: float32[20], dB of what was played, as far back as the echo's delay is.
        anywhere: gives float32[n, 20], the same for every delay there could be.
        ours: it is known to be nobody else.
        """
        noise, left = self.noise, both[1]
        np.minimum(noise + _NOISE_CLIMBS_DB, noise + 0.3 * (left - noise), out=noise)
        quiet = noise + _ABOVE_NOISE_DB
        usual = played + self._usual
        margin = np.maximum(_MARGIN_DB, _DEVIATIONS * self._spread)
        above = left - np.maximum(usual[1] + margin[1], quiet)
        self._evidence = _FORGET * self._evidence + float(above.clip(0, _MOST_DB).sum())
        enough = _STILL_NEAR_DB if self._hold else _NEAR_DB
        near = not ours and self._evidence > enough
        off = both - usual
        if near:
            off = off.clip(-_MOST_OFF_DB, _MOST_OFF_DB)
        self._learn(off, both > quiet, played, _LEARN_SPEECH if near else _LEARN)
        self._sure = max(self._sure - 1, 0)
        if near and not self._sure:
            # It may be ours all the same, at another delay. Then that one explains all bands.
            above = both[0] - np.maximum(anywhere() + self._usual[0] + margin[0], quiet)
            excess = above.clip(0, _MOST_DB).sum(axis=1)
            self._elsewhere = _FORGET_ELSEWHERE * self._elsewhere + excess
            near = bool(self._elsewhere.min() > _NEAR_DB)
        elif self._evidence < _STILL_NEAR_DB:
            self._elsewhere = np.zeros(1, np.float32)
        if near:
            self._hold, self._sure = _HOLD, min(self._sure + _SURER, _SURE)
        else:
            self._hold = max(self._hold - 1, 0)
        return self._hold > 0 and not ours

    def _learn(
        self, off: Levels, sounds: NDArray[np.bool_], played: Levels, speed: np.float32
    ) -> None:
        """Where only noise is heard, an echo is at most as loud."""
        step = speed * ((played > _AUDIBLE_DB) & (sounds | (off < 0)))
        self._usual += step * off
        self._spread += step * (np.abs(off) - self._spread)
        np.maximum(self._spread, 2, out=self._spread)
