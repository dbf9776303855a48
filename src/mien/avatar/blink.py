"""When a person blinks.

People blink 17 times a minute at rest and 26 in conversation, with gaps spread log-normally
(Bentivoglio et al. 1997, Mov Disord 12(6); Doughty 2001, Optom Vis Sci 78(10): 8 to 21 and 10.5
to 32.5). Speakers blink where they pause, which is where listeners follow (Nakano & Kitazawa
2010, Exp Brain Res 205(4)), and with large movements of the eyes (Evinger et al. 1994, Exp Brain
Res 100(2)). A presenter who looks at one person stays at the calm end.
"""

from __future__ import annotations

import math
import random

from mien.avatar.rhythm import PHRASE_SEC, Rhythm
from mien.media.tick import TICK_SEC

# Lids per tick: down in two, shut for two, up in three (people: 100–150 ms shut and back).
LIDS = (0.45, 1.0, 1.0, 0.7, 0.25)
# Median seconds to the next blink if nothing else calls for one. While speaking most are called
# for by pauses, and the eyes stay open within a phrase.
GAP_SEC = {"idle": 3.2, "listening": 3.6, "thinking": 3.0, "speaking": 4.6}
SPREAD = 0.42  # of the gap's logarithm
SHORTEST_SEC, LONGEST_SEC = 1.1, 8.0
PHRASE_END = 0.7  # chance of a blink
GAZE_SHIFT = 0.4  # chance, when the eyes go far
RECENT_SEC = 0.9  # no called-for blink so soon after another
DOUBLE = 0.07  # chance of a second right after


class Blinks:
    """The lids, tick by tick."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance
        self._tick = 0
        self._begun = -len(LIDS)
        self._doubled = False
        self._next = int(chance.uniform(0.8, 3.0) / TICK_SEC)

    def step(self, activity: str, rhythm: Rhythm, gaze_shift: bool, wide: bool) -> float:
        """0 open … 1 closed. gaze_shift: the eyes set off far away; wide: kept open."""
        self._tick += 1
        long_phrase = rhythm.ended and rhythm.phrase_sec > PHRASE_SEC
        if long_phrase and self._random.random() < PHRASE_END:
            self._call(self._random.randint(0, 2))
        if gaze_shift and self._random.random() < GAZE_SHIFT:
            self._call(1)
        if wide:
            self._next = max(self._next, self._tick + 2)
        if self._tick >= self._next:
            self._begun = self._tick
            self._next = self._tick + self._gap(activity)
        age = self._tick - self._begun
        return LIDS[age] if age < len(LIDS) else 0.0

    def _call(self, delay: int) -> None:
        if (self._tick - self._begun) * TICK_SEC > RECENT_SEC:
            self._next = min(self._next, self._tick + delay)

    def _gap(self, activity: str) -> int:
        self._doubled = not self._doubled and self._random.random() < DOUBLE
        if self._doubled:
            return len(LIDS) + 3
        median = GAP_SEC.get(activity, GAP_SEC["idle"])
        gap = self._random.lognormvariate(math.log(median), SPREAD)
        return round(min(max(gap, SHORTEST_SEC), LONGEST_SEC) / TICK_SEC)
