"""How a clip is repeated, and where in it the person is silent."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mien.avatar.clip.smoothing import STEADY, Array
from mien.avatar.clip.tracking import Track
from mien.avatar.photo.lips import PARTED, gap
from mien.media.tick import FPS

Loop = Literal["pingpong", "forward"]

SEAMLESS_STEPS = 1.5  # times an ordinary large step between frames
SEAMLESS_FACE = 0.004  # of the face's size, where nothing moves at all
SEAMLESS_LEVELS = 0.6  # of the thumbnails: noise of the camera
LARGE = 90  # percentile of the steps that is a large one
IDLE_SEC = 1.0  # a shorter passage repeats visibly, and M and P in speech close the lips too
MOST_CLOSED = 0.065  # face units; a nod opens touching lips by 0.02, vowels are 0.1 and more
BRIDGED = 2  # frames within silence in which the net sees lips part


def best_loop(points: Array, track: Track) -> Loop:
    """ "forward" where the last picture goes over into the first as smoothly as pictures do within
    the clip, otherwise forward and backward in turn.

    points: float64[N, 468, 3] pixels, smoothed.
    """
    if len(points) < FPS:
        return "pingpong"
    size = float(np.median(np.ptp(points[:, :, 1], axis=1)))
    middle = points[:, :, :2]
    steps = np.abs(np.diff(middle, axis=0)).mean((1, 2)) / size
    seam = float(np.abs(middle[-1] - middle[0]).mean()) / size
    # Going on as it moved, too: the same place at opposite speed would turn back visibly.
    steady = middle[:, STEADY].mean(1) / size
    turn = float(np.linalg.norm((steady[1] - steady[0]) - (steady[-1] - steady[-2])))
    changes = [track.differ(i, i - 1) for i in range(1, len(points))]
    large_change = float(np.percentile(changes, LARGE))
    large = float(np.percentile(steps, LARGE))
    calm = (
        seam <= max(SEAMLESS_FACE, SEAMLESS_STEPS * large)
        and turn <= max(SEAMLESS_FACE, SEAMLESS_STEPS * large)
        and track.differ(0, -1) <= max(SEAMLESS_LEVELS, SEAMLESS_STEPS * large_change)
    )
    return "forward" if calm else "pingpong"


def silent_passage(points: Array) -> tuple[int, int] | None:
    """First and one past the last frame of the longest passage with lips closed, at least a
    second long. points: float64[N, 468, 3] pixels, smoothed."""
    best: tuple[int, int] | None = None
    start: int | None = None
    closed = [*closed_lips(points), False]
    for i, shut in enumerate(closed):
        if shut and start is None:
            start = i
        elif not shut and start is not None:
            if i - start >= IDLE_SEC * FPS and (best is None or i - start > best[1] - best[0]):
                best = (start, i)
            start = None
    return best


def closed_lips(points: Array) -> list[bool]:
    """Of each frame, whether the lips touch; slips of one or two frames are bridged."""
    gaps = [gap(p[:, :2]) for p in points]
    usual = float(np.percentile(gaps, 10))  # the net sees touching lips 0.025 … 0.04 apart
    limit = max(PARTED, min(MOST_CLOSED, usual + 0.025))
    shut = [g <= limit for g in gaps]
    for i in range(1, len(shut)):
        if shut[i]:
            for back in range(2, BRIDGED + 2):
                if i - back >= 0 and shut[i - back]:
                    shut[i - back + 1 : i] = [True] * (back - 1)
                    break
    return shut
