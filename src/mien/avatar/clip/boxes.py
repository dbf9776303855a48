"""The box that is cut out of each frame for a Wav2Lip-class network.

The weights were trained on boxes of the S3FD detector (Zhang et al. 2017), which learnt WIDER
FACE's rule: forehead, chin and cheeks, tightly (Yang et al. 2016). Such a detector is not
shipped; the same frame is laid round the landmarks, and stays calmer than a detector's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.avatar.clip.smoothing import (
    HEAD,
    Array,
    from_local,
    gaussian,
    medians,
    poses,
    savgol,
    to_local,
)
from mien.avatar.photo.geometry import CHIN, OVAL

# Shares of the mesh's height. Published examples of detectors with WIDER FACE's rule have the eyes
# at 0.39 … 0.41 of the box's height and the mouth at 0.76; so the box reaches above the mesh, which
# ends below the hairline, and ends just above the chin (hence the published padding below it).
FOREHEAD_SHARE = 0.07
CHIN_SHARE = -0.02
PAD_SHARE = 0.045  # of the box's height: the published 10 pixels on a face of 220
PAD_PIXELS = 10  # the published default, pads 0 10 0 0
PUBLISHED_WINDOW = 5
CALM_CHIN = 8  # frames to each side: a syllable's jaw is not to be seen in the box
CALM_SIZE = 6.0  # frames, sigma: people lean towards a camera slowly


def raw_boxes(points: Array) -> Array:
    """float64[N, 4] left, top, right, bottom: the frame that S3FD lays round each face.

    points: float64[N, 468, 3] pixels.
    """
    oval = points[:, OVAL, :2]
    low, high = oval.min(1), oval.max(1)
    chin = np.maximum(points[:, CHIN, 1], high[:, 1])
    tall = chin - low[:, 1]
    top, bottom = low[:, 1] - FOREHEAD_SHARE * tall, chin + CHIN_SHARE * tall
    return np.stack([low[:, 0], top, high[:, 0], bottom], 1)


def face_boxes(points: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """float32[N, 4] left, top, right, bottom, pixels within ``size``: calm, and padded below.

    The chin is where it is in the face on average, so that the original's speech moves nothing.
    """
    box = raw_boxes(_with_calm_chin(points))
    box[:, 3] += PAD_SHARE * (box[:, 3] - box[:, 1])
    centre = savgol((box[:, :2] + box[:, 2:]) / 2, HEAD)
    extent = gaussian(medians(box[:, 2:] - box[:, :2], 2), CALM_SIZE)
    box = np.concatenate([centre - extent / 2, centre + extent / 2], 1)
    limit = np.array([*size, *size], np.float64)
    return np.clip(box, 0, limit).astype(np.float32)


def _with_calm_chin(points: Array) -> Array:
    """The lower half of the outline moved as the head moves, not as the jaw does."""
    origin, lean = poses(points)
    local = to_local(points[:, :, :2], origin, lean)
    low = [i for i in OVAL if local[:, i, 1].mean() > 0]
    local[:, low] = gaussian(medians(local[:, low], CALM_CHIN), CALM_CHIN / 2)
    moved = points.copy()
    moved[:, low, :2] = from_local(local[:, low], origin, lean)
    return moved


def detections(points: Array) -> NDArray[np.int64]:
    """int64[N, 4] x1, y1, x2, y2 as the published code takes them from its detector: whole
    pixels, not below 0."""
    return np.maximum(raw_boxes(points), 0).astype(np.int64)


def published_boxes(
    rects: NDArray[np.int64],
    size: tuple[int, int],
    pads: tuple[int, int, int, int] = (0, PAD_PIXELS, 0, 0),
    smooth: bool = True,
) -> NDArray[np.int64]:
    """int64[N, 4] y1, y2, x1, x2: padded, held within the picture and smoothed, as published.

    rects: int64[N, 4] x1, y1, x2, y2. size: width, height. pads: above, below, left, right.
    """
    above, below, left, right = pads
    x1 = np.maximum(0, rects[:, 0] - left)
    y1 = np.maximum(0, rects[:, 1] - above)
    x2 = np.minimum(size[0], rects[:, 2] + right)
    y2 = np.minimum(size[1], rects[:, 3] + below)
    boxes = np.stack([x1, y1, x2, y2], 1)
    return (published_smoothing(boxes) if smooth else boxes)[:, [1, 3, 0, 2]]


def published_smoothing(
    boxes: NDArray[np.int64], window: int = PUBLISHED_WINDOW
) -> NDArray[np.int64]:
    """The published running mean: forward, in place, in whole numbers.

    Each box becomes the mean of itself and the ones after it; near the end the mean of the last
    ``window``, of which the first are smoothed already. With fewer boxes than the window, the
    slice begins at a negative index and so counts from the end. int64[N, 4], any column order.
    """
    boxes = boxes.copy()
    count = len(boxes)
    for i in range(count):
        part = boxes[count - window :] if i + window > count else boxes[i : i + window]
        boxes[i] = np.mean(part, axis=0)  # stored truncated
    return boxes
