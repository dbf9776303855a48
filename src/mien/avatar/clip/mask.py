"""Where a painted mouth shows: a soft patch from under the nose to below the chin.

Drawn once per frame, from that frame's landmarks, on a coarse grid over the face's box: smooth
shapes survive being enlarged, and ten seconds take one megabyte.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.clip.points import JAW, LEFT_EYE, LIPS, MOUTH_CORNERS, NOSE_BASE, RIGHT_EYE

Floats = NDArray[np.float32]
Grid = NDArray[np.uint8]

GRID = 64  # cells of the box in x and y
FINE = 2  # drawn this much finer, so that edges lie between cells
SUBPIXEL_BITS = 4  # of OpenCV's drawing coordinates

# Shares of the way from the mouth's middle. All of a painted mouth shows as far as LIPS_GROWN; the
# jaw's outline is kept inside, or hair and collar would be painted too.
LIPS_GROWN = 1.12
CHIN_FULL = 0.9
CHEEKS = 0.92
BELOW_CHIN = 1.22
CHIN_POINTS = slice(7, 14)  # of JAW: the chin itself
NOSE_WINGS = (98, 327)  # of the upper border; from there it runs down the folds to the cheeks
# From the nose's base to the upper lip there is little room, and all of it is needed to fade in.
UNDER_NOSE = 0.12  # of the way from the nose's base to the mouth: nothing shows above
# A patch that begins lower than the mask (or ends earlier) fades in over this share of the box.
EDGE = 0.07


def masks(boxes: Floats, landmarks: Floats) -> Grid:
    """uint8[N, 64, 64], 0 … 255, how much of a painted face shows at each place of the box.

    boxes: float32[N, 4] left, top, right, bottom; landmarks: float32[N, 468, 2], same pixels.
    0 above the nose's base and at the box's border. A painted mouth may be broad where the filmed
    one is round: every mask is as broad as the broadest mouth of all frames.
    """
    corners = landmarks[:, MOUTH_CORNERS]
    breadths = np.hypot(*(corners[:, 1] - corners[:, 0]).T) / (boxes[:, 2] - boxes[:, 0])
    broadest = float(breadths.max())
    return np.stack(
        [_mask(box, points, broadest) for box, points in zip(boxes, landmarks, strict=True)]
    )


@lru_cache(maxsize=16)  # an engine has one place
def edge_fade(place: tuple[float, float, float, float]) -> Floats:
    """float32[64, 64], 0 … 1, read-only: fades a patch in from those of its borders that lie inside
    the box.

    place: left, top, width, height as shares of the box, see ``Mouth.place``.
    """
    at = ((np.arange(GRID) + 0.5) / GRID).astype(np.float32)
    x = _ramp(at, place[0], place[0] + place[2])
    y = _ramp(at, place[1], place[1] + place[3])
    fade = np.asarray(y[:, None] * x[None], np.float32)
    fade.setflags(write=False)
    return fade


def _ramp(at: Floats, first: float, last: float) -> Floats:
    inside = np.ones_like(at)
    # One cell more is spared: enlarging spreads a cell over its neighbours.
    if first > 0:
        inside *= _smooth((at - first - 1 / GRID) / EDGE)
    if last < 1:
        inside *= _smooth((last - at - 1 / GRID) / EDGE)
    return inside


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _mask(box: Floats, points: Floats, broadest: float) -> Grid:
    """broadest: from corner to corner, as a share of the box's width."""
    at = (points - box[:2]) / (box[2:] - box[:2])
    lips = at[list(LIPS)]
    middle = (lips.min(0) + lips.max(0)) / 2
    jaw = at[list(JAW)]
    down = _down(at)
    base = float((at[list(NOSE_BASE)] @ down).max())
    base += UNDER_NOSE * (float((lips @ down).min()) - base)

    chin = jaw[CHIN_POINTS]
    cheeks = jaw[jaw @ down > middle @ down]
    corners = at[list(MOUTH_CORNERS)]
    breadth = (corners[1] - corners[0]) / max(float(np.hypot(*(corners[1] - corners[0]))), 1e-6)
    ends = corners.mean(0) + 0.5 * broadest * np.stack([-breadth, breadth])
    mouth = np.concatenate([lips, ends])
    full = np.concatenate(
        [middle + LIPS_GROWN * (mouth - middle), middle + CHIN_FULL * (chin - middle)]
    )
    outer = np.concatenate(
        [
            at[list(NOSE_WINGS)],
            middle + CHEEKS * (cheeks - middle),
            middle + BELOW_CHIN * (chin - middle),
        ]
    )
    within = _filled(outer) & _below(down, base)
    # Cells at the rim of the box stay empty: beyond it there is nothing to paste.
    within[:FINE], within[-FINE:], within[:, :FINE], within[:, -FINE:] = 0, 0, 0, 0
    core = _filled(full) & within
    outside = cv2.distanceTransform(within, cv2.DIST_L2, 5)
    inside = cv2.distanceTransform((core == 0).astype(np.uint8), cv2.DIST_L2, 5)
    # 0 at the rim of ``within``, 1 from the rim of ``core`` on, however far they are apart.
    share = outside / np.maximum(outside + inside, 1e-6)
    fine = 255 * _smooth(share)
    small = cv2.resize(fine, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.round(small).astype(np.uint8)


def _down(at: Floats) -> Floats:
    """float32[2], length 1: from the eyes towards the chin, in shares of the box."""
    eyes = at[list(LEFT_EYE)].mean(0) - at[list(RIGHT_EYE)].mean(0)
    down = np.array((-eyes[1], eyes[0]), np.float32)
    return np.asarray(down / max(float(np.hypot(*down)), 1e-6), np.float32)


def _filled(points: Floats) -> Grid:
    """uint8[128, 128], 1 inside the convex hull of the points (float32[n, 2], shares)."""
    image = np.zeros((GRID * FINE, GRID * FINE), np.uint8)
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2)
    cells = np.round((hull * GRID * FINE - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillConvexPoly(image, cells, 1, cv2.LINE_8, SUBPIXEL_BITS)
    return image


def _below(down: Floats, base: float) -> Grid:
    """uint8[128, 128], 1 where the way along ``down`` is longer than ``base``."""
    at = (np.arange(GRID * FINE, dtype=np.float32) + 0.5) / (GRID * FINE)
    along = at[None] * down[0] + at[:, None] * down[1]
    return np.asarray(along > base + 1 / GRID, np.uint8)
