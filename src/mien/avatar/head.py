"""How the head is carried: it rests, shifts, nods on stressed syllables and settles at phrase ends.

Heads hardly ever swing evenly; they hold a pose and then take another. While speaking, movements
fall on stressed syllables and end with the phrase (Hadar et al. 1983, Hum Mov Sci 2(1); Munhall et
al. 2004, Psychol Sci 15(2)), brows rise with some stresses (Cavé et al. 1996, ICSLP), and listeners
nod every few seconds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from mien.avatar.ease import Curve, Mover, Stroke, Strokes
from mien.avatar.rhythm import PHRASE_SEC, Rhythm
from mien.media.tick import TICK_SEC


@dataclass(frozen=True, slots=True)
class Carriage:
    """wander: degrees the head may shift from its place; hold: seconds between two shifts."""

    wander: float
    hold: tuple[float, float]


CARRIAGES = {
    "idle": Carriage(1.9, (2.8, 6.5)),
    "listening": Carriage(0.9, (3.5, 7.0)),
    "thinking": Carriage(1.3, (1.6, 3.2)),
    "speaking": Carriage(3.2, (1.2, 2.8)),
}
SHARES = {"yaw": 1.0, "pitch": 0.45, "roll": 0.6}  # of the wander
BEAT_CHANCE = 0.8
NOD: Stroke = {
    "pitch": Curve(((0.16, -1.0), (0.56, 0.0))),
    "sway_y": Curve(((0.16, 0.3), (0.56, 0.0))),
}
TILT: Stroke = {
    "roll": Curve(((0.2, 0.8), (0.75, 0.0))),
    "pitch": Curve(((0.18, -0.4), (0.6, 0.0))),
}
TURN: Stroke = {"yaw": Curve(((0.2, 1.0), (0.8, 0.0))), "pitch": Curve(((0.18, -0.4), (0.6, 0.0)))}
ACCENT: Stroke = {"brow": Curve(((0.18, 0.32), (0.4, 0.3), (0.9, 0.0)))}
ACCENT_CHANCE = 0.22  # with a strong stress
SETTLING: Stroke = {
    "pitch": Curve(((0.32, -1.5), (1.1, 0.0))),
    "sway_y": Curve(((0.4, 0.5), (1.2, 0.0))),
}
SETTLING_CHANCE = 0.6
# "I hear you": slow, once or twice, unlike the quick nod of a "yes".
HEARD_NODS: tuple[Stroke, ...] = (
    {"pitch": Curve(((0.4, -2.4), (1.0, 0.0)))},
    {"pitch": Curve(((0.36, -2.6), (0.72, -0.5), (1.06, -1.7), (1.6, 0.0)))},
)
HEARD_NOD_SEC = (3.0, 7.5)

# Incommensurate slow waves (Hz, share), whose sum does not visibly repeat: muscles at work.
WAVES = ((0.083, 0.40), (0.137, 0.30), (0.271, 0.20), (0.433, 0.10))
TREMOR = {
    "yaw": 0.5,
    "pitch": 0.35,
    "roll": 0.35,
    "sway_x": 1.8,
    "sway_y": 0.6,
    "brow": 0.05,
    "smile": 0.045,
}


class Head:
    """Head, shoulders and a face at rest, tick by tick, around where an activity carries them."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance
        self._posture = {channel: Mover() for channel in SHARES}
        self._phases = {
            channel: [chance.uniform(0, 2 * math.pi) for _ in WAVES] for channel in TREMOR
        }
        self._strokes = Strokes(fade_sec=0)
        self._hold = chance.randint(5, 60)
        self._until_nod = 0
        self._activity = ""
        self._side = chance.choice((-1.0, 1.0))

    def step(self, tick: int, activity: str, rhythm: Rhythm) -> dict[str, float]:
        """yaw, pitch, roll in degrees, sway_x and sway_y in pixels, brow and smile."""
        self._shift(activity, rhythm)
        if activity == "speaking":
            self._speak(rhythm)
        elif activity == "listening":
            if self._activity != activity:
                self._until_nod = round(self._random.uniform(1.5, 4.0) / TICK_SEC)
            self._listen()
        self._activity = activity
        moved = self._strokes.step()
        for channel, mover in self._posture.items():
            moved[channel] = moved.get(channel, 0.0) + mover.step()
        for channel, size in TREMOR.items():
            moved[channel] = moved.get(channel, 0.0) + size * self._wave(channel, tick * TICK_SEC)
        return moved

    def _shift(self, activity: str, rhythm: Rhythm) -> None:
        carriage = CARRIAGES.get(activity, CARRIAGES["idle"])
        self._hold -= 1
        # A new phrase is a new start for the head as well.
        if self._hold > 0 and not (rhythm.began and self._hold < 40):
            return
        lively = 1 + 0.5 * rhythm.liveliness if activity == "speaking" else 1.0
        speed = 0.75 if activity == "speaking" else 1.0
        for channel, mover in self._posture.items():
            goal = self._random.gauss(0, 0.65) * carriage.wander * SHARES[channel] * lively
            goal = min(max(goal, -1.6 * carriage.wander), 1.6 * carriage.wander)
            seconds = speed * (0.6 + 0.22 * abs(goal - mover.value))
            mover.go(goal, round(seconds * self._random.uniform(0.9, 1.2) / TICK_SEC))
        self._hold = round(self._random.uniform(*carriage.hold) / TICK_SEC)

    def _speak(self, rhythm: Rhythm) -> None:
        if rhythm.stressed and self._random.random() < BEAT_CHANCE:
            size = rhythm.weight * self._random.uniform(1.2, 2.8)
            kind = self._random.random()
            if kind < 0.7:
                self._strokes.begin(NOD, size)
            else:
                self._side = -self._side
                self._strokes.begin(TILT if kind < 0.85 else TURN, self._side * size)
            if rhythm.weight > 0.6 and self._random.random() < ACCENT_CHANCE:
                self._strokes.begin(ACCENT, self._random.uniform(0.7, 1.1))
        long_phrase = rhythm.ended and rhythm.phrase_sec > PHRASE_SEC
        if long_phrase and self._random.random() < SETTLING_CHANCE:
            self._strokes.begin(SETTLING, self._random.uniform(0.6, 1.2))

    def _listen(self) -> None:
        self._until_nod -= 1
        if self._until_nod <= 0:
            self._strokes.begin(self._random.choice(HEARD_NODS), self._random.uniform(0.7, 1.1))
            self._until_nod = round(self._random.uniform(*HEARD_NOD_SEC) / TICK_SEC)

    def _wave(self, channel: str, t: float) -> float:
        return sum(
            share * math.sin(2 * math.pi * hz * t + phase)
            for (hz, share), phase in zip(WAVES, self._phases[channel], strict=True)
        )
