"""Idle life: blinks, breath, and a head that is never quite still."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from mien.avatar.contract import Pose
from mien.media.tick import TICK_SEC

# Lids per tick: down in two, shut for two, up in three (people: 100–150 ms shut and back).
BLINK = (0.45, 1.0, 1.0, 0.7, 0.25)  # where the presenter has pictures
BLINK_GAP_SEC = (2.2, 5.8)  # resting adults blink every 3–4 s
PAUSE_TICKS = 4  # a shorter silence is the closure of a consonant, not the end of a phrase
PHRASE_END_BLINK = 0.75  # chance; people blink where a phrase ends
RECENT_BLINK_SEC = 1.0  # none at a phrase end when the last was that recent
DOUBLE_BLINK = 0.08

BREATH_HZ = 0.25
BREATH_HZ_SPEAKING = 0.32

# Incommensurate slow waves (Hz, share): their sum does not visibly repeat.
WAVES = ((0.053, 0.45), (0.097, 0.30), (0.171, 0.17), (0.293, 0.08))

SETTLE_SEC = 0.28  # of each of two smoothing stages; a change of activity takes about a second
LONGEST_GAP = 250  # ticks; further apart, life is not simulated in between


@dataclass(frozen=True, slots=True)
class Manner:
    """How one activity is carried. Degrees, and shares of the pose's ranges."""

    sway: float
    pitch: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    brow: float = 0.0
    smile: float = 0.0


MANNERS = {
    "idle": Manner(sway=0.7, smile=0.10),
    "listening": Manner(sway=0.6, pitch=-0.5, roll=1.8, brow=0.22, smile=0.15),
    "thinking": Manner(sway=0.7, pitch=0.6, yaw=1.3, gaze_x=0.15, gaze_y=0.85, brow=0.12),
    "speaking": Manner(sway=1.0, smile=0.06),
}
FIELDS = ("sway", "pitch", "roll", "yaw", "gaze_x", "gaze_y", "brow", "smile")


class IdleLife:
    """Implements ``mien.avatar.contract.Life``: the same seed and inputs give the same poses."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._side = self._random.choice((-1.0, 1.0))  # which way this one tilts and glances
        self._phases = [[self._random.uniform(0, 2 * math.pi) for _ in WAVES] for _ in range(5)]
        start = MANNERS["idle"]
        self._manner = [[getattr(start, f)] * 2 for f in FIELDS]
        self._loud = 0.0
        self._loud_slow = 0.0
        self._beat = 0.0
        self._breath_phase = self._random.random()
        self._spoken_sec = 0.0
        self._quiet = 0
        self._last_blink = -1000
        self._blink_at = int(self._random.uniform(0.8, 3.0) / TICK_SEC)
        self._flick = (0.0, 0.0)
        self._flick_at = 0
        self._gaze = [0.0, 0.0]
        self._tick: int | None = None
        self._pose = Pose()

    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        """See ``Life.pose``. An unknown activity is treated as "idle"."""
        if self._tick is not None and tick <= self._tick:
            return self._pose
        first = tick if self._tick is None else max(self._tick + 1, tick - LONGEST_GAP)
        for t in range(first, tick + 1):
            self._pose = self._step(t, min(max(energy, 0.0), 1.0), activity)
        self._tick = tick
        return self._pose

    def _step(self, tick: int, energy: float, activity: str) -> Pose:
        manner = self._settle(MANNERS.get(activity, MANNERS["idle"]))
        self._follow(energy)
        blink = self._blink(tick, energy)
        flick_x, flick_y = self._eyes(tick)
        t = tick * TICK_SEC
        sway = manner["sway"]
        speed = BREATH_HZ_SPEAKING if activity == "speaking" else BREATH_HZ
        self._breath_phase += speed * TICK_SEC
        # The head drops on loud syllables and swings wider while speaking is lively.
        lively = 1 + 0.8 * self._loud_slow
        return Pose(
            blink=blink,
            yaw=sway * lively * 1.9 * self._wave(0, t) + self._side * manner["yaw"],
            pitch=sway * 1.1 * self._wave(1, t) + manner["pitch"] - 1.7 * self._beat,
            roll=sway * lively * 1.2 * self._wave(2, t) + self._side * manner["roll"],
            sway_x=sway * 2.2 * self._wave(3, t),
            sway_y=sway * 0.9 * self._wave(4, t) + 0.7 * self._beat,
            breath=0.5 - 0.5 * math.cos(2 * math.pi * self._breath_phase),
            gaze_x=_clip(self._side * manner["gaze_x"] + flick_x),
            gaze_y=_clip(manner["gaze_y"] + flick_y),
            brow=_clip(manner["brow"] + 0.35 * self._beat),
            smile=max(0.0, manner["smile"]),
        )

    def _settle(self, goal: Manner) -> dict[str, float]:
        """Two low passes in a row: position and speed are both continuous."""
        share = 1 - math.exp(-TICK_SEC / SETTLE_SEC)
        for name, stages in zip(FIELDS, self._manner, strict=True):
            stages[0] += (getattr(goal, name) - stages[0]) * share
            stages[1] += (stages[0] - stages[1]) * share
        return {name: stages[1] for name, stages in zip(FIELDS, self._manner, strict=True)}

    def _follow(self, energy: float) -> None:
        """Loudness above its recent level makes a beat of the head."""
        rise = 0.35 if energy > self._loud else 0.12
        self._loud += (energy - self._loud) * rise
        self._loud_slow += (self._loud - self._loud_slow) * 0.04
        beat = max(0.0, self._loud - self._loud_slow)
        self._beat += (beat - self._beat) * 0.22

    def _blink(self, tick: int, energy: float) -> float:
        self._quiet = 0 if energy > 0.08 else self._quiet + 1
        if self._quiet == 0:
            self._spoken_sec += TICK_SEC
        elif self._spoken_sec > 0 and self._quiet >= PAUSE_TICKS:
            recent = (tick - self._last_blink) * TICK_SEC < RECENT_BLINK_SEC
            likely = self._spoken_sec > 0.6 and self._random.random() < PHRASE_END_BLINK
            if likely and not recent:
                self._blink_at = min(self._blink_at, tick + self._random.randint(0, 2))
            self._spoken_sec = 0.0
        if tick >= self._blink_at:
            self._last_blink = tick
            gap = self._random.triangular(*BLINK_GAP_SEC, 3.2)
            if self._random.random() < DOUBLE_BLINK:
                gap = (len(BLINK) + 3) * TICK_SEC
            self._blink_at = tick + round(gap / TICK_SEC)
        since = tick - self._last_blink
        return BLINK[since] if 0 <= since < len(BLINK) else 0.0

    def _eyes(self, tick: int) -> tuple[float, float]:
        """Small saccades around the goal; eyes that never move look painted."""
        if tick >= self._flick_at:
            away = self._random.random() < 0.4
            x, y = self._random.uniform(-0.16, 0.16), self._random.uniform(-0.08, 0.08)
            self._flick = (x, y) if away else (0.0, 0.0)
            self._flick_at = tick + round(self._random.uniform(0.5, 2.2) / TICK_SEC)
        for axis in (0, 1):
            self._gaze[axis] += (self._flick[axis] - self._gaze[axis]) * 0.6
        return self._gaze[0], self._gaze[1]

    def _wave(self, which: int, t: float) -> float:
        phases = self._phases[which]
        return sum(
            share * math.sin(2 * math.pi * hz * t + phase)
            for (hz, share), phase in zip(WAVES, phases, strict=True)
        )


def _clip(value: float) -> float:
    return min(max(value, -1.0), 1.0)
