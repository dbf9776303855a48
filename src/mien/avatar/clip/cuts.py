"""Where a clip changes to another shot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mien.avatar.clip.smoothing import STEADY
from mien.avatar.clip.tracking import Track

# Levels of mean difference between two thumbnails: a presenter who moves freely gives 1 … 3 from
# frame to frame, another shot of the same room 15 and more.
LEVELS = 9.0
JUMP = 0.25  # of the face's size, from one frame to the next: heads do not move so fast
ALONE = 3.0  # times what happens in the frames around it: a fast movement takes several
BACK = 5  # frames within which a flash, or a slip of the net, is over
SAME = 0.4  # of the change is left when it is over


def scene_cuts(track: Track) -> list[int]:
    """Frames that show another shot than the one before."""
    count = len(track.small)
    middle: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {
        i: p[STEADY, :2].mean(0) for i, p in enumerate(track.points) if p is not None
    }
    known = [p for p in track.points if p is not None]
    size = float(np.median([np.ptp(p[:, 1]) for p in known])) if known else 1.0

    def moved(one: int, other: int) -> float:
        if one not in middle or other not in middle:
            return 0.0
        return float(np.linalg.norm(middle[one] - middle[other])) / size

    found = {*_leaps(count, track.differ, LEVELS), *_leaps(count, moved, JUMP)}
    return sorted(found)


def _leaps(count: int, apart: Callable[[int, int], float], least: float) -> list[int]:
    """Frames that are at least ``least`` apart from the one before, all at once and for good."""
    steps = [0.0, *(apart(i, i - 1) for i in range(1, count))]
    found = []
    for i in range(1, count):
        around = [steps[j] for j in (i - 2, i - 1, i + 1, i + 2) if 0 < j < count]
        if steps[i] < max(least, ALONE * max(around, default=0.0)):
            continue
        later = range(i + 1, min(count, i + 1 + BACK))
        earlier = range(max(0, i - 1 - BACK), i - 1)
        over = any(apart(j, i - 1) < SAME * steps[i] for j in later)
        ends = any(apart(j, i) < SAME * steps[i] for j in earlier)
        if not over and not ends:
            found.append(i)
    return found
