"""Breathing: even at rest; while speaking, quick breaths in the pauses and slow ones out.

Adults breathe 12 to 18 times a minute at rest, a little longer out than in. Speech is said while
breathing out, after a short breath in (Winkworth et al. 1995, J Speech Hear Res 38(1)).
"""

from __future__ import annotations

import math
import random

from mien.avatar.ease import Follower
from mien.avatar.rhythm import Rhythm
from mien.media.tick import TICK_SEC

IN_SHARE = 0.42  # of a cycle
CYCLE_SEC, CYCLE_SPREAD = 4.1, 0.4
SPEECH_IN_SEC, SPEECH_OUT_SEC = 0.6, 5.0
EMPTY = 0.97  # of a cycle: a phrase that goes on longer is said without moving the chest


class Breath:
    """The chest, tick by tick."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance
        self._phase = chance.random()
        self._cycle_sec = CYCLE_SEC
        self._speed = Follower(1 / CYCLE_SEC, 0.12)  # cycles per second

    def step(self, rhythm: Rhythm, speaking: bool) -> float:
        """0 empty … 1 full."""
        self._phase += max(0.0, self._speed.step(self._goal(rhythm, speaking))) * TICK_SEC
        if self._phase >= 1:
            self._phase -= 1
            self._cycle_sec = max(3.2, self._random.gauss(CYCLE_SEC, CYCLE_SPREAD))
        if self._phase < IN_SHARE:
            return 0.5 - 0.5 * math.cos(math.pi * self._phase / IN_SHARE)
        return 0.5 + 0.5 * math.cos(math.pi * (self._phase - IN_SHARE) / (1 - IN_SHARE))

    def _goal(self, rhythm: Rhythm, speaking: bool) -> float:
        breathing_in = self._phase < IN_SHARE
        if rhythm.sounding:
            if breathing_in:
                return IN_SHARE / SPEECH_IN_SEC
            return (1 - IN_SHARE) / SPEECH_OUT_SEC if self._phase < EMPTY else 0.0
        if speaking:  # a pause: use it
            return IN_SHARE / SPEECH_IN_SEC if breathing_in else (1 - IN_SHARE) / 1.2
        return 1 / self._cycle_sec
