"""Where a person looks: at the viewer, between two thoughts elsewhere, and back.

Eyes stay put and jump; they never glide. On a face they jump between its eyes and mouth. People
look away while they think of an answer (Glenberg et al. 1998, Mem Cognit 26(4)) and back when they
give it (Kendon 1967, Acta Psychol 26).
"""

from __future__ import annotations

import random

from mien.avatar.ease import Mover
from mien.avatar.rhythm import Rhythm
from mien.media.tick import TICK_SEC

GAZE_DEG = 9.0, 6.0  # of the eyes at gaze_x = 1 and gaze_y = 1, as presenters are rendered
# Eyes turn against the head and so stay on what they look at; a little less, as the head of a
# picture turns a little less than it is told to.
STEADINESS = 0.85
FAR = 0.45  # a jump that a blink may go with
GLANCE = {"idle": 0.10, "listening": 0.03, "speaking": 0.08}  # chance with each new fixation
GLANCE_AT_START = 0.2  # of a phrase


class Gaze:
    """The eyes, tick by tick.

    shifted: whether they set off far away in this tick.
    """

    def __init__(self, chance: random.Random, side: float) -> None:
        self.shifted = False
        self._random = chance
        self._side = side
        self._x, self._y = Mover(), Mover()
        self._hold = 10  # ticks
        self._away = False
        self._activity = "idle"

    def step(self, activity: str, rhythm: Rhythm) -> tuple[float, float]:
        """Where they point, whatever the head does: (0, 0) is at the viewer, 1 is ``GAZE_DEG``."""
        self.shifted = False
        self._hold -= 1
        if activity != self._activity:
            self._activity = activity
            if activity == "thinking" or self._away:
                self._hold = 0
        elif rhythm.began and not self._away and self._random.random() < GLANCE_AT_START:
            self._glance()
        if self._hold <= 0 and not self._x.moving:
            self._look_on(activity)
        return self._x.step(), self._y.step()

    def _look_on(self, activity: str) -> None:
        if activity == "thinking":
            self._think()
        elif not self._away and self._random.random() < GLANCE.get(activity, 0.0):
            self._glance()
        else:
            self._away = False
            self._go(self._random.uniform(-0.11, 0.11), self._random.uniform(-0.1, 0.07), 0.5, 2.3)

    def _glance(self) -> None:
        self._away = True
        x = self._random.choice((-1, 1)) * self._random.uniform(0.25, 0.5)
        self._go(x, self._random.uniform(-0.4, 0.2), 0.35, 0.8)

    def _think(self) -> None:
        kind = self._random.random() if self._away else 1.0
        if kind < 0.15:
            self._away = False
            self._go(0.0, 0.0, 0.4, 0.8)
            return
        if kind < 0.3:
            self._side = -self._side
        self._away = True
        if 0.3 <= kind < 0.42:
            self._go(self._side * self._random.uniform(0.4, 0.8), -0.8, 0.7, 1.3)
        else:
            x, y = self._random.uniform(0.6, 1.1), self._random.uniform(0.9, 1.4)
            self._go(self._side * x, y, 0.9, 2.2)

    def _go(self, x: float, y: float, least_sec: float, most_sec: float) -> None:
        distance = max(abs(x - self._x.value), abs(y - self._y.value))
        ticks = 2 + round(3 * distance)
        self._x.go(x, ticks)
        self._y.go(y, ticks)
        self._hold = ticks + round(self._random.uniform(least_sec, most_sec) / TICK_SEC)
        self.shifted = distance > FAR


def against_head(yaw: float, pitch: float) -> tuple[float, float]:
    """What the eyes add to keep their aim while the head is turned by so many degrees."""
    return -STEADINESS * yaw / GAZE_DEG[0], -STEADINESS * pitch / GAZE_DEG[1]
