"""Timed sounds → the mouth of one tick, eased from sound to sound.

Lips are slower than the tongue: what is drawn is a mean over the neighbouring sounds, weighted
by how much each insists on its own shape. Contacts (lips, lip and teeth, teeth) are not eased
into the mean. They are a grip of their own, which for closed lips is full on every tick of the
closure, so that no smoothing can open it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.contract import MouthShape
from mien.lipsync.viseme.looks import Look, looks
from mien.lipsync.viseme.sounds import LOOK_OF_SOUND
from mien.media.speech import Phone
from mien.media.tick import TICK_SEC

NOW = TICK_SEC / 2  # a tick shows the mouth of its middle

# Lips start towards a sound and leave it over about this time; beyond REACH nothing is felt.
# Shorter makes the mouth flap on every phone, longer blurs syllables into one.
EASE_SEC = 0.045
REACH_SEC = 0.12
# A consonant's grip falls to nothing this long before and after the sound. With 55 ms the vowel
# of "my" between two closures never opened.
RELEASE_SEC = {"PP": 0.036, "FF": 0.036, "TH": 0.04, "SS": 0.04, "CH": 0.055}

# Of the net's posteriors: a contact is where its sounds reach the first and lasts while they stay
# above the second. Closed lips are believed sooner: a missed closure is noticed before a brief one
# too many. Lower still finds more and invents more; see docs/lipsync.md.
CERTAIN_LIKELY = {name: (0.25, 0.15) if name == "PP" else (0.35, 0.2) for name in RELEASE_SEC}
FRAME_SEC = 0.01
_EQUAL = 1e-6

Timed = tuple[Look, float, float]  # look, start and end in seconds from the tick's start


def covered(phones: Sequence[Phone]) -> bool:
    """Whether the phones say what is heard in the middle of the tick."""
    slack = 0.011  # gaps of rounding
    return any(p.start - slack <= NOW <= p.end + slack for p in phones if p.end > p.start)


def shape_of_phones(phones: Sequence[Phone]) -> MouthShape:
    """The mouth of the tick that starts at 0 s, given phones that cover its middle."""
    timed: list[Timed] = []
    for phone in phones:
        at, length = phone.start, phone.end - phone.start
        if length <= 0:
            continue
        for look, share in looks(phone.symbol):
            timed.append((look, at, at + share * length))
            at += share * length
    if not timed:
        return MouthShape()
    weights = np.array([look.dominance * _nearness(start, end) for look, start, end in timed])
    total = float(weights.sum())
    if total <= 0:
        return MouthShape()
    openness = float(weights @ [look.openness for look, _, _ in timed]) / total
    rounding = float(weights @ [look.rounding for look, _, _ in timed]) / total
    return MouthShape(openness, rounding, *_grip(timed))


def _nearness(start: float, end: float) -> float:
    distance = max(start - NOW, NOW - end, 0.0)
    return float(2.0 ** (-((distance / EASE_SEC) ** 2) * 2)) if distance < REACH_SEC else 0.0


_CONTACTS = tuple(RELEASE_SEC)
_THRESHOLDS = [CERTAIN_LIKELY[name] for name in _CONTACTS]
_CERTAIN = np.array([certain for certain, _ in _THRESHOLDS], np.float32)
# Per sound: openness, rounding and 1, each by dominance; its share in each contact; its grip there.
_LIPS = np.array(
    [[x * look.dominance for x in (look.openness, look.rounding, 1.0)] for look in LOOK_OF_SOUND]
)
_GRIPS = np.array(
    [[look.grip * (look.consonant == name) for name in _CONTACTS] for look in LOOK_OF_SOUND]
)
_TRAITS = np.concatenate([_LIPS, _GRIPS > 0, _GRIPS], axis=1).astype(np.float32)


def shape_of_posteriors(posteriors: NDArray[np.float32], start: float) -> MouthShape:
    """The mouth given float32[t, len(SOUNDS)] posteriors of frames 10 ms apart.

    start: seconds of the first frame's centre, relative to the tick's start.
    """
    traits = posteriors @ _TRAITS
    openness, rounding, total = (_near(len(posteriors), start) @ traits[:, :3]).tolist()
    if total <= 0:
        return MouthShape()
    shares, grips = np.split(traits[:, 3:], 2, axis=1)
    return MouthShape(openness / total, rounding / total, *_grip(_contacts(shares, grips, start)))


@lru_cache(maxsize=16)  # the frames of every tick lie alike
def _near(count: int, start: float) -> NDArray[np.float32]:
    half = FRAME_SEC / 2
    centres = [start + FRAME_SEC * i for i in range(count)]
    return np.array([_nearness(at - half, at + half) for at in centres], np.float32)


def _contacts(shares: NDArray[np.float32], grips: NDArray[np.float32], start: float) -> list[Timed]:
    """Runs of frames in which a contact is likely and somewhere certain."""
    found: list[Timed] = []
    # Plain lists: a column has two dozen numbers, and NumPy takes longer to begin than they last.
    for contact in np.flatnonzero(shares.max(axis=0) >= _CERTAIN).tolist():
        certain, likely = _THRESHOLDS[contact]
        share, grip = [*shares[:, contact].tolist(), 0.0], grips[:, contact].tolist()
        first = None
        for at, value in enumerate(share):
            if value >= likely:
                first = at if first is None else first
            elif first is not None:
                if max(share[first:at]) >= certain:
                    firm = sum(grip[first:at]) / sum(share[first:at])
                    begin, end = (start + FRAME_SEC * (edge - 0.5) for edge in (first, at))
                    found.append((Look(0, 0, 0, _CONTACTS[contact], firm), begin, end))
                first = None
    return found


def _grip(timed: Sequence[Timed]) -> tuple[str, float]:
    """The strongest contact at the tick's middle, and how strong it is."""
    best, grip, rival = "", 0.0, 0.0
    for look, start, end in timed:
        if not look.consonant:
            continue
        distance = max(start - NOW, NOW - end, 0.0)
        # The tick that holds the middle of a sound shows it fully, however short the sound is:
        # an "m" that never closes the lips is the error viewers notice first.
        if 0 <= (start + end) / 2 < TICK_SEC:
            distance = 0.0
        here = look.grip * max(0.0, 1 - distance / RELEASE_SEC[look.consonant])
        # Of two that are equally strong the lips win: they are what everybody sees.
        if here > grip + (_EQUAL if best == "PP" else -_EQUAL if look.consonant == "PP" else 0):
            if look.consonant != best:
                rival = grip
            best, grip = look.consonant, here
        elif look.consonant != best:
            rival = max(rival, here)
    if best not in ("PP", "FF"):
        grip = max(0.0, grip - 0.5 * rival)  # passing from one to the other without a jump
    return (best, min(grip, 1.0)) if grip > 0.01 else ("", 0.0)
