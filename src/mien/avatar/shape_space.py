"""Which pictures a mouth lies between, and how near to each.

The vowels are a grid of openness × rounding; a mouth is drawn from the (at most four) pictures
around its place. A consonant is entered from its own place in that grid, so that a wide open
mouth does not blend with pressed lips but closes first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from mien.lipsync.contract import MouthShape

Weights = list[tuple[int, float]]

ARRIVED = 0.7  # of the grip: until here the mouth moves in the grid, towards the consonant
NEGLIGIBLE = 0.02  # a share too small to see; each picture costs about 0.3 ms


class MouthSpace:
    def __init__(self, places: Sequence[dict[str, Any]]) -> None:
        """places: of the pictures, in order; already checked by ``package``."""
        vowels = [(i, p) for i, p in enumerate(places) if "consonant" not in p]
        self._rows = sorted({float(p["openness"]) for _, p in vowels})
        self._columns = sorted({float(p["rounding"]) for _, p in vowels})
        self._grid = {(float(p["openness"]), float(p["rounding"])): i for i, p in vowels}
        self._consonants = {
            p["consonant"]: (i, float(p["near"][0]), float(p["near"][1]))
            for i, p in enumerate(places)
            if "consonant" in p
        }

    def weights(self, shape: MouthShape | None, weight: float = 1.0) -> Weights:
        """Pictures and their shares, which sum to 1. weight: 0 = the resting mouth."""
        weight = min(max(weight, 0.0), 1.0)
        if shape is None or weight == 0:
            return self._around(0.0, 0.0)
        openness, rounding = shape.openness * weight, shape.rounding * weight
        consonant = self._consonants.get(shape.consonant)
        grip = min(max(shape.grip * weight, 0.0), 1.0) if consonant else 0.0
        if consonant is None or grip == 0:
            return self._around(openness, rounding)
        picture, near_openness, near_rounding = consonant
        approach = min(1.0, grip / ARRIVED)
        openness += (near_openness - openness) * approach
        rounding += (near_rounding - rounding) * approach
        held = min(max((grip - 0.3) / 0.6, 0.0), 1.0)
        held = held * held * (3 - 2 * held)
        rest = [(i, w * (1 - held)) for i, w in self._around(openness, rounding)]
        return _tidy([*rest, (picture, held)])

    def _around(self, openness: float, rounding: float) -> Weights:
        rows, columns = _between(self._rows, openness), _between(self._columns, rounding)
        return _tidy([(self._grid[o, r], a * b) for o, a in rows for r, b in columns])


class EyeSpace:
    def __init__(self, places: Sequence[dict[str, Any]]) -> None:
        self._closures = {float(p["closure"]): i for i, p in enumerate(places) if "gaze" not in p}
        self._steps = sorted(self._closures)
        self._gazes = {p["gaze"]: i for i, p in enumerate(places) if "gaze" in p}

    def weights(self, blink: float, gaze_x: float, gaze_y: float) -> Weights:
        """Pictures and their shares, which sum to 1; glances are made by open eyes only."""
        lids = [(self._closures[c], w) for c, w in _between(self._steps, blink)]
        glances = [
            (self._gazes[name], amount)
            for name, amount in (
                ("right", gaze_x),
                ("left", -gaze_x),
                ("up", gaze_y),
                ("down", -gaze_y),
            )
            if amount > 0 and name in self._gazes
        ]
        total = sum(amount for _, amount in glances)
        if total == 0:
            return _tidy(lids)
        scale = 1 / max(1.0, total)
        open_eyes = self._closures[self._steps[0]]
        share = sum(w for i, w in lids if i == open_eyes)
        looking = [(i, share * amount * scale) for i, amount in glances]
        straight = share * (1 - total * scale)
        return _tidy([(i, straight if i == open_eyes else w) for i, w in lids] + looking)


def _between(steps: list[float], value: float) -> list[tuple[float, float]]:
    """The two neighbours of ``value`` with linear shares; ends are held."""
    value = min(max(value, steps[0]), steps[-1])
    high = min(bisect_right(steps, value), len(steps) - 1)
    low = max(high - 1, 0)
    if high == low:
        return [(steps[low], 1.0)]
    share = (value - steps[low]) / (steps[high] - steps[low])
    return [(steps[low], 1 - share), (steps[high], share)]


def _tidy(weights: Weights) -> Weights:
    """Without what cannot be seen; heaviest first (it is drawn first)."""
    kept = sorted((w for w in weights if w[1] > NEGLIGIBLE), key=lambda w: -w[1])
    total = sum(w for _, w in kept)
    return [(i, w / total) for i, w in kept]
