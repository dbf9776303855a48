"""Which pictures a mouth or a glance lies between, and how near to each.

The vowels are a grid of openness × rounding; a mouth is drawn from the (at most four) pictures
around its place. A consonant is entered from its own place in that grid, so that a wide open
mouth does not blend with pressed lips but closes first. Where an avatar has smiling mouths too,
they are a second grid above the first.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from mien.avatar.patches import EyePlace, MouthPlace
from mien.lipsync.contract import MouthShape

Weights = list[tuple[int, float]]

ARRIVED = 0.7  # of the grip: until here the mouth moves in the grid, towards the consonant
NEGLIGIBLE = 0.02  # a share too small to see; each picture costs about 0.3 ms


class _Grid:
    """The mouths of one expression."""

    def __init__(self, places: Sequence[tuple[int, MouthPlace]]) -> None:
        vowels = [(i, p) for i, p in places if not p.consonant]
        self._rows = sorted({p.openness for _, p in vowels})
        self._columns = sorted({p.rounding for _, p in vowels})
        self._cells = {(p.openness, p.rounding): i for i, p in vowels}
        self.consonants = {p.consonant: (i, p) for i, p in places if p.consonant}

    def around(self, openness: float, rounding: float) -> Weights:
        rows, columns = _between(self._rows, openness), _between(self._columns, rounding)
        return [(self._cells[o, r], a * b) for o, a in rows for r, b in columns]

    def weights(self, openness: float, rounding: float, consonant: str, grip: float) -> Weights:
        held = self.consonants.get(consonant)
        if held is None or grip == 0:
            return self.around(openness, rounding)
        picture, near = held
        approach = min(1.0, grip / ARRIVED)
        openness += (near.openness - openness) * approach
        rounding += (near.rounding - rounding) * approach
        share = min(max((grip - 0.3) / 0.6, 0.0), 1.0)
        share = share * share * (3 - 2 * share)
        rest = [(i, w * (1 - share)) for i, w in self.around(openness, rounding)]
        return [*rest, (picture, share)]


class MouthSpace:
    def __init__(self, places: Sequence[MouthPlace]) -> None:
        """places: of the pictures, in order; already checked by ``patches``."""
        numbered = list(enumerate(places))
        self._plain = _Grid([(i, p) for i, p in numbered if not p.smile])
        smiling = [(i, p) for i, p in numbered if p.smile]
        self._smiling = _Grid(smiling) if smiling else None

    @property
    def has_smiles(self) -> bool:
        return self._smiling is not None

    def weights(self, shape: MouthShape | None, weight: float = 1.0, smile: float = 0.0) -> Weights:
        """Pictures and their shares, which sum to 1. weight: 0 = the resting mouth. smile: 0…1,
        of no effect where there are no smiling mouths."""
        weight = min(max(weight, 0.0), 1.0)
        shape = shape or MouthShape()
        openness, rounding = shape.openness * weight, shape.rounding * weight
        grip = min(max(shape.grip * weight, 0.0), 1.0)
        smile = min(max(smile, 0.0), 1.0)
        plain = self._plain.weights(openness, rounding, shape.consonant, grip)
        if self._smiling is None or smile == 0:
            return _tidy(plain)
        consonant = shape.consonant
        if grip > 0 and consonant in self._plain.consonants:
            # Lips that must meet may not be left to the smiling vowels: they would stay apart.
            missing = consonant not in self._smiling.consonants
            smile *= 1 - grip if missing else 1.0
        smiling = self._smiling.weights(openness, rounding, consonant, grip)
        return _tidy(
            [(i, w * (1 - smile)) for i, w in plain] + [(i, w * smile) for i, w in smiling]
        )


class EyeSpace:
    def __init__(self, places: Sequence[EyePlace]) -> None:
        """places: of the pictures, in order; already checked by ``patches``."""
        numbered = list(enumerate(places))
        self._closures = {p.closure: i for i, p in numbered if not p.gaze and not p.brow}
        self._steps = sorted(self._closures)
        self._gazes = {p.gaze: i for i, p in numbered if p.gaze}
        self._brows = {p.brow: i for i, p in numbered if p.brow}
        self._open = self._closures[self._steps[0]]

    @property
    def has_brows(self) -> bool:
        return bool(self._brows)

    def weights(self, blink: float, gaze_x: float, gaze_y: float, brow: float = 0.0) -> Weights:
        """Pictures and their shares, which sum to 1; open eyes only glance and raise brows."""
        return self._mixed(blink, gaze_x, gaze_y, brow)[0]

    def shifts(
        self, blink: float, gaze_x: float, gaze_y: float, brow: float = 0.0
    ) -> list[tuple[int, int, float]]:
        """What the shares of the pictures leave out: half-closed eyes glance and raise their brows
        by geometry alone. (Towards this picture, away from the open eyes, by this share.)"""
        weights, wishes = self._mixed(blink, gaze_x, gaze_y, brow)
        shares = dict(weights)
        missing = [(i, self._open, amount - shares.get(i, 0.0)) for i, amount in wishes]
        return [shift for shift in missing if shift[2] > NEGLIGIBLE]

    def _mixed(
        self, blink: float, gaze_x: float, gaze_y: float, brow: float
    ) -> tuple[Weights, Weights]:
        lids = [(self._closures[c], w) for c, w in _between(self._steps, blink)]
        wishes = self._wishes(gaze_x, gaze_y, brow)
        total = sum(amount for _, amount in wishes)
        if total == 0:
            return _tidy(lids), wishes
        scale = 1 / max(1.0, total)
        share = sum(w for i, w in lids if i == self._open)
        moved = [(i, share * amount * scale) for i, amount in wishes]
        straight = share * (1 - total * scale)
        weights = [(i, straight if i == self._open else w) for i, w in lids] + moved
        return _tidy(weights), wishes

    def _wishes(self, gaze_x: float, gaze_y: float, brow: float) -> Weights:
        """Pictures of glances and brows, and how much of each is asked for, 0…1."""
        far = max(1.0, math.hypot(gaze_x, gaze_y))  # eyes reach as far into the corners
        amounts = (
            (self._gazes.get("right"), gaze_x / far),
            (self._gazes.get("left"), -gaze_x / far),
            (self._gazes.get("up"), gaze_y / far),
            (self._gazes.get("down"), -gaze_y / far),
            (self._brows.get("up"), brow),
            (self._brows.get("frown"), -brow),
        )
        return [(i, min(a, 1.0)) for i, a in amounts if i is not None and a > 0]


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
