"""How a person moves: goals are followed and strokes are made without jumps, also of speed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mien.media.tick import TICK_SEC


def ease(share: float) -> float:
    """0 … 1 as an arm or a head goes from rest to rest: the movement of least jerk.

    Flash & Hogan (1985), The coordination of arm movements, J Neurosci 5(7).
    """
    x = min(max(share, 0.0), 1.0)
    return x * x * x * (x * (6 * x - 15) + 10)


def limited(value: float, most: float) -> float:
    """``value`` where it is small, never beyond ±``most``, without a corner in between."""
    return most * math.tanh(value / most)


class Follower:
    """Goes after a goal that may jump: two low passes in a row, each of ``sec``."""

    def __init__(self, value: float, sec: float) -> None:
        self._share = 1 - math.exp(-TICK_SEC / sec)
        self._first = self.value = value

    def step(self, goal: float) -> float:
        """One tick later."""
        self._first += (goal - self._first) * self._share
        self.value += (self._first - self.value) * self._share
        return self.value


class Mover:
    """Goes to a place in a given time and stays there, until it is sent elsewhere."""

    def __init__(self) -> None:
        self.value = 0.0
        self._from = self._to = 0.0
        self._age = self._ticks = 0

    @property
    def moving(self) -> bool:
        return self._age < self._ticks

    def go(self, to: float, ticks: int) -> None:
        """Only when not moving: a turn back in the middle would be a jerk."""
        if not self.moving:
            self._from, self._to, self._age, self._ticks = self.value, to, 0, max(1, ticks)

    def step(self) -> float:
        """One tick later."""
        if self.moving:
            self._age += 1
            self.value = self._from + (self._to - self._from) * ease(self._age / self._ticks)
        return self.value


@dataclass(frozen=True, slots=True)
class Curve:
    """A stroke over time: from 0 through ``keys`` (seconds, value), at rest at each of them."""

    keys: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        return self.keys[-1][0]

    def scaled(self, size: float) -> Curve:
        return Curve(tuple((sec, size * value) for sec, value in self.keys))

    def at(self, sec: float) -> float:
        before = (0.0, 0.0)
        for key in self.keys:
            if sec < key[0]:
                share = (sec - before[0]) / (key[0] - before[0])
                return before[1] + (key[1] - before[1]) * ease(share)
            before = key
        return before[1]


Stroke = dict[str, Curve]
"""One movement of several channels (fields of ``Pose``) that belong together."""


class Strokes:
    """Movements under way; their sum is what is seen.

    fade_sec: a movement gives a channel up over that time when a newer one takes it; 0: they add
        up for good.
    """

    def __init__(self, fade_sec: float) -> None:
        self._fade_sec = fade_sec
        self._playing: list[_Playing] = []

    def begin(self, stroke: Stroke, size: float = 1.0) -> None:
        """Let it start with the next :meth:`step`."""
        if self._fade_sec:
            for playing in self._playing:
                for channel in stroke:
                    playing.taken.setdefault(channel, playing.age)
        self._playing.append(_Playing(stroke, size))

    def step(self) -> dict[str, float]:
        """The channels that are moved, one tick later."""
        total: dict[str, float] = {}
        for playing in self._playing:
            playing.age += 1
            for channel, curve in playing.stroke.items():
                value = playing.size * curve.at(playing.age * TICK_SEC)
                if channel in playing.taken:
                    gone = (playing.age - playing.taken[channel]) * TICK_SEC
                    value *= 1 - ease(gone / self._fade_sec)
                total[channel] = total.get(channel, 0.0) + value
        self._playing = [playing for playing in self._playing if not playing.over]
        return total


class _Playing:
    def __init__(self, stroke: Stroke, size: float) -> None:
        self.stroke = stroke
        self.size = size
        self.age = 0  # ticks
        self.taken: dict[str, int] = {}  # channels a newer movement has, since which age

    @property
    def over(self) -> bool:
        return all(self.age * TICK_SEC >= curve.seconds for curve in self.stroke.values())
