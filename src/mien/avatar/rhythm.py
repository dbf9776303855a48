"""What the body hears in its own voice: stressed syllables, pauses, phrases."""

from __future__ import annotations

from mien.media.tick import TICK_SEC

SOUND = 0.08  # loudness above which something is said
PAUSE_TICKS = 4  # a shorter silence is the closure of a consonant, not the end of a phrase
PHRASE_SEC = 0.6  # shorter ones ("yes.") end without ceremony
# A syllable is stressed when it rises that much above the usual loudness of the last second …
STRESS_RATIO, STRESS_RISE = 1.22, 0.05
# … and comes that long after the last one: people stress two or three syllables a second.
STRESS_GAP_TICKS = 8


class Rhythm:
    """One voice, tick by tick.

    sounding: between the first sound of a phrase and the pause after it.
    liveliness: 0 … 1, how loud it has been lately.
    phrase_sec: length of the phrase so far.
    began, ended, stressed: what this tick is; ``weight`` (0 … 1) says how strong the stress.
    """

    def __init__(self) -> None:
        self.sounding = self.began = self.ended = self.stressed = False
        self.liveliness = self.weight = self.phrase_sec = 0.0
        self.quiet_ticks = 0
        self._loud = self._usual = 0.0
        self._since_stress = STRESS_GAP_TICKS

    def step(self, energy: float) -> None:
        self.began = self.ended = self.stressed = False
        self.quiet_ticks = 0 if energy > SOUND else self.quiet_ticks + 1
        self.liveliness += (energy - self.liveliness) * 0.03
        if self.quiet_ticks == 0:
            if not self.sounding:
                self.sounding = self.began = True
                self.phrase_sec = 0.0
            self.phrase_sec += TICK_SEC
        elif self.sounding and self.quiet_ticks >= PAUSE_TICKS:
            self.sounding, self.ended = False, True
        self._find_stress(energy)

    def _find_stress(self, energy: float) -> None:
        rising = energy > self._loud
        self._loud += (energy - self._loud) * 0.6
        if self.sounding:
            self._usual += (energy - self._usual) * 0.06
        self._since_stress += 1
        above = self._loud - (self._usual * STRESS_RATIO + STRESS_RISE)
        if rising and above > 0 and self._since_stress >= STRESS_GAP_TICKS:
            self.stressed = True
            self.weight = min(1.0, 0.35 + 2.5 * above)
            self._since_stress = 0
