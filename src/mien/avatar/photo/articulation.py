"""How lips, jaw and cheeks of any face stand for a sound.

A ``Mouth`` holds a dozen articulatory numbers; ``movements`` turns them into movements of the
mesh points. The amounts are those of adult speech (a jaw drops 18 mm at most while talking, "oo"
narrows the mouth by a third), in units of the distance between the outer corners of the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.avatar.photo.geometry import (
    INNER_LOWER,
    INNER_UPPER,
    OUTER_LOWER,
    OUTER_UPPER,
    Array,
)

HALF_MOUTH = 0.26  # of a resting face, in its units
# Lips part between the first two: nearer to each other there, or skin would shine through teeth.
OPENNESS = (0.0, 0.07, 0.2, 0.4, 0.6, 0.8, 1.0)
ROUNDING = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Articulation:
    """jaw: how far it drops. upper, lower: how far the lips part beyond that, up and down.
    corner: outward, negative inward. corner_down: of the corners. upper_full, lower_full: growth
    of the red of the lips; negative when they are pressed or drawn in. round: 0…1, the outline
    of the opening from a lens to an ellipse. smile: 0…1, corners and cheeks up."""

    jaw: float = 0.0
    upper: float = 0.0
    lower: float = 0.0
    corner: float = 0.0
    corner_down: float = 0.0
    upper_full: float = 0.0
    lower_full: float = 0.0
    round: float = 0.0
    smile: float = 0.0
    tongue: float = 0.0


def vowel(openness: float, rounding: float) -> Articulation:
    """openness 0…1, rounding -1…1, as in ``lipsync.contract.MouthShape``."""
    round_, spread = max(rounding, 0.0), max(-rounding, 0.0)
    part = min(1.0, openness / 0.2)  # lips are apart from the first step on
    return Articulation(
        jaw=0.20 * openness * (1 - 0.2 * round_),
        upper=part * (0.006 + 0.012 * spread + 0.006 * round_) + 0.028 * openness,
        lower=part * (0.012 + 0.022 * spread) + 0.006 * openness,
        corner=0.030 * spread - 0.085 * round_ - 0.030 * openness * (1 - 0.6 * spread),
        corner_down=0.060 * openness - 0.010 * spread,
        upper_full=0.014 * round_ - 0.004 * openness - 0.006 * spread,
        lower_full=0.014 * round_ - 0.006 * openness - 0.008 * spread,
        round=round_,
    )


CONSONANTS: dict[str, tuple[Articulation, tuple[float, float]]] = {
    # With the place in the vowels from which each is entered.
    "PP": (Articulation(corner=0.006, upper_full=-0.022, lower_full=-0.026), (0.0, 0.0)),
    "FF": (
        Articulation(jaw=0.02, upper=0.036, lower=-0.023, lower_full=-0.024, corner=0.008),
        (0.1, -0.1),
    ),
    "TH": (Articulation(jaw=0.045, upper=0.018, lower=0.016, corner=0.006, tongue=1.0), (0.2, 0.0)),
    "CH": (
        Articulation(
            jaw=0.012,
            upper=0.034,
            lower=0.036,
            corner=-0.055,
            upper_full=0.012,
            lower_full=0.012,
            round=0.6,
        ),
        (0.2, 0.5),
    ),
    "SS": (Articulation(jaw=0.006, upper=0.022, lower=0.030, corner=0.018), (0.2, -0.5)),
}


def smiling(base: Articulation) -> Articulation:
    return replace(base, smile=1.0)


# Mesh points that follow the jaw, and how much. Its angle below the ear is the hinge: still.
JAW = {
    **{152: 1.0, 148: 0.99, 377: 0.99, 176: 0.95, 400: 0.95, 149: 0.86, 378: 0.86},
    **{150: 0.72, 379: 0.72, 136: 0.50, 365: 0.50, 172: 0.28, 397: 0.28, 58: 0.10, 288: 0.10},
    **{132: 0.0, 361: 0.0},
}
CHIN_SKIN = {
    **{18: 1.0, 83: 1.0, 313: 1.0, 200: 1.0, 199: 1.0, 201: 0.98, 421: 0.98, 175: 1.0},
    **{204: 0.9, 424: 0.9, 32: 0.93, 262: 0.93, 208: 0.95, 428: 0.95},
}
JOWLS = {
    **{202: 0.66, 422: 0.66, 210: 0.68, 430: 0.68, 212: 0.44, 432: 0.44, 57: 0.3, 287: 0.3},
    **{214: 0.34, 434: 0.34, 192: 0.24, 416: 0.24, 135: 0.5, 364: 0.5, 169: 0.7, 394: 0.7},
}
# Cheeks beside the mouth: (share of the jaw's drop, of the corners' way sideways, of a smile).
CHEEKS = {
    **{186: (0.10, 0.6, 0.75), 410: (0.10, 0.6, 0.75), 92: (0.04, 0.5, 0.5), 322: (0.04, 0.5, 0.5)},
    **{216: (0.18, 0.5, 0.7), 436: (0.18, 0.5, 0.7), 206: (0.04, 0.3, 0.55)},
    **{426: (0.04, 0.3, 0.55), 207: (0.16, 0.35, 0.7), 427: (0.16, 0.35, 0.7)},
    **{205: (0.05, 0.15, 0.6), 425: (0.05, 0.15, 0.6), 187: (0.12, 0.15, 0.5)},
    **{411: (0.12, 0.15, 0.5), 50: (0.02, 0.0, 0.35), 280: (0.02, 0.0, 0.35)},
    **{213: (0.16, 0.08, 0.2), 433: (0.16, 0.08, 0.2), 147: (0.05, 0.0, 0.1)},
    **{376: (0.05, 0.0, 0.1), 203: (0.01, 0.12, 0.35), 423: (0.01, 0.12, 0.35)},
}
STILL = [2, 97, 326, 98, 327, 4, 5, 6, 197, 195, 129, 358, 48, 278, 101, 330, 118, 347, 116, 345]
ABOVE_LIP = {164: 0.55, 167: 0.5, 393: 0.5, 165: 0.4, 391: 0.4}  # share of the upper lip's way

UPPER_ONLY = [*INNER_UPPER[1:-1], *OUTER_UPPER[1:-1], *ABOVE_LIP]
LOWER_ONLY = [*INNER_LOWER[1:-1], *OUTER_LOWER[1:-1], *CHIN_SKIN]
SHARED = [61, 291, 78, 308, *JAW, *JOWLS, *CHEEKS, *STILL]
CONTROLS = sorted({*UPPER_ONLY, *LOWER_ONLY, *SHARED})


def movements(a: Articulation, points: Array) -> Array:
    """Movements of the mesh points from lips just closed, float64[468, 2], in face units.

    points: float64[468, 2], the face's own points (u, v), lips closed.
    """
    moves = np.zeros((468, 2))
    half = (points[308, 0] - points[78, 0]) / 2
    along = np.clip((points[:, 0] - (points[308, 0] + points[78, 0]) / 2) / half, -1.2, 1.2)
    # The corners: sideways, with the jaw, and up and out in a smile.
    wide = half / HALF_MOUTH
    corner = np.array([a.corner * wide + 0.035 * a.smile, a.corner_down - 0.045 * a.smile])
    bow = np.clip(np.abs(along), 0, 1) ** 1.6  # of the lips' middle, which the corners pull less

    # A lens opens with its full height in the middle; an ellipse stays high towards the corners.
    flat = np.clip(1 - along**2, 0, 1)
    upper_way, lower_way = flat ** (0.80 - 0.3 * a.round), flat ** (0.62 - 0.12 * a.round)
    up, down = a.upper + 0.012 * a.smile, a.jaw + a.lower
    for inner, outer in zip(INNER_UPPER, OUTER_UPPER, strict=True):
        rise = -up * upper_way[inner]
        moves[inner, 1] = rise
        moves[outer, 1] = 0.8 * rise - a.upper_full * flat[outer] ** 0.5
    for inner, outer in zip(INNER_LOWER, OUTER_LOWER, strict=True):
        drop = down * lower_way[inner]
        moves[inner, 1] = drop
        moves[outer, 1] = (a.jaw + 0.75 * a.lower) * lower_way[outer] ** 0.8
        moves[outer, 1] += a.lower_full * flat[outer] ** 0.5
    lips = sorted({*INNER_UPPER, *INNER_LOWER, *OUTER_UPPER, *OUTER_LOWER})
    moves[lips, 0] += along[lips] * corner[0]
    moves[lips, 1] += bow[lips] * corner[1]
    for i, share in ABOVE_LIP.items():
        moves[i] = (along[i] * corner[0] * 0.5, -share * (0.8 * up + a.upper_full))
    for i, share in (CHIN_SKIN | JAW | JOWLS).items():
        # The chin swings back as it drops: a little less than the teeth do.
        moves[i, 1] = share * (0.9 * a.jaw + (0.3 * a.lower if i in CHIN_SKIN else 0.0))
        moves[i, 0] = along[i] * corner[0] * (0.3 if i in JOWLS else 0.1 if i in CHIN_SKIN else 0)
    for i, (drop, side, smile) in CHEEKS.items():
        sign = np.sign(along[i])
        moves[i] = (
            sign * side * (a.corner + 0.03 * a.smile) - sign * 0.05 * drop * a.jaw,
            drop * a.jaw - 0.045 * smile * a.smile,
        )
    return moves
