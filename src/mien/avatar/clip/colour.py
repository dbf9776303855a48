"""Matching a painted patch to the light and the skin around it.

Networks return a face a little darker, paler or warmer than the picture it goes into, and where
the two meet this shows as a patch. Light and camera multiply what they find, so the answer is a
gain per channel that changes slowly over the patch: it leaves the dark of the mouth dark, and keeps
what the patch itself shows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Image

Floats = NDArray[np.float32]

GRID = 32  # cells compared, in x and y
RIM = 0.15  # least weight of a cell that counts
FEWEST = 12  # cells of a rim; with fewer nothing is changed
DARK = 6.0  # of 255, added before the logarithm: near black a ratio says little
TOLERANCE = 0.08  # of the logarithm; what differs more is a fold, a hair or a moved jaw
ROUNDS = 3
# Slopes are held back, as if by this share of all cells that saw none: across a rim that is seen
# badly they would lean on noise. Downwards more: the chin moves with the mouth, and its shadow
# would flicker over the whole patch.
HOLD = (0.0, 0.05, 0.25)
MOST_GAIN, MOST_SLOPE = 0.5, 0.35  # of the logarithm: 1.65 times, and 1.4 from side to side


def colour_gain(around: Image, patch: Image, alpha: Floats) -> Floats | None:
    """float32[3, 3]: logarithm of the gain in the middle, per half width to the right, per half
    height down (rows) of each channel. None where too little of the rim is seen.

    around, patch: uint8[h, w, 3] of the same place, h and w free; alpha: float32[32, 32], 0 … 1,
    how much of the patch will show. They are compared where it passes from one to the other.
    """
    rim = 4 * alpha * (1 - alpha)
    seen = rim > RIM
    if np.count_nonzero(seen) < FEWEST:
        return None
    weight = rim[seen]
    y, x = np.nonzero(seen)
    steps = np.stack([np.ones(len(x)), 2 * (x + 0.5) / GRID - 1, 2 * (y + 0.5) / GRID - 1], 1)
    wanted = np.log(_small(around)[seen] + DARK) - np.log(_small(patch)[seen] + DARK)
    hold = np.diag(HOLD) * len(weight)
    robust = weight
    for _ in range(ROUNDS):
        scaled = (steps * robust[:, None]).T
        found = np.linalg.solve(scaled @ steps + hold, scaled @ wanted)
        # Judged by all channels alike, or a fold would tint what it is not left out of.
        off = np.abs(wanted - steps @ found).mean(1) / TOLERANCE
        robust = weight / (1 + off * off)
    limits = np.array([[MOST_GAIN], [MOST_SLOPE], [MOST_SLOPE]])
    return np.asarray(np.clip(found, -limits, limits), np.float32)


def with_gain(patch: Image, gain: Floats) -> Floats:
    """float32[h, w, 3]: ``patch`` (uint8) times the gain of ``colour_gain``."""
    height, width = patch.shape[:2]
    x = (2 * (np.arange(width) + 0.5) / width - 1).astype(np.float32)
    y = (2 * (np.arange(height) + 0.5) / height - 1).astype(np.float32)
    across = np.exp(gain[0] + x[:, None] * gain[1])
    along = np.exp(y[:, None] * gain[2])
    return np.asarray(patch * across[None] * along[:, None], np.float32)


def _small(image: Image) -> Floats:
    small = cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
