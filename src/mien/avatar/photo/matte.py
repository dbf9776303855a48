"""The person cut out of the photo, and the photo's background without the person.

MediaPipe's selfie network tells person from background at 256×256; a guided filter (He, Sun,
Tang 2013, https://doi.org/10.1109/TPAMI.2012.213) moves its soft border to the edges of the photo.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.geometry import OVAL, Array, Frame
from mien.avatar.photo.models import SEGMENTATION
from mien.avatar.photo.tones import mask_of
from mien.media.tick import Image

Floats = NDArray[np.float32]

SIDE = 256
CLEAR_FACE = 0.95  # of the face must be person, or the network has misunderstood the photo
MOST_DOUBT = 0.12  # of the person's area may be neither person nor background


def person(photo: Image, points: Array, models: Path) -> Floats | None:
    """float32[H, W], 1 = person, 0 = background; None where the border cannot be trusted.

    photo: uint8[H, W, 3] RGB. points: float64[468, 2] pixels of the face.
    """
    network = cv2.dnn.readNetFromTFLite(str(models / SEGMENTATION.name))
    unit = Frame.of(points).unit
    whole = _segmented(network, photo)
    # Once more with the head large, for the hair.
    middle = points[OVAL].mean(0) - (0, 0.25 * unit)
    left, top = np.maximum(middle - 1.6 * unit, 0).astype(int)
    right, bottom = np.minimum(middle + 1.6 * unit, photo.shape[1::-1]).astype(int)
    near = _segmented(network, photo[top:bottom, left:right])
    share = _fading(near.shape, 0.15)
    part = whole[top:bottom, left:right]
    part += share * (near - part)
    alpha = _with_face(whole, points)
    alpha = _guided(photo, alpha, radius=max(4, round(0.05 * unit)))
    alpha = np.asarray(np.clip((alpha - 0.06) / 0.88, 0, 1), np.float32)
    face = mask_of(photo.shape, [points[OVAL]])
    doubt = ((alpha > 0.1) & (alpha < 0.9)).sum() / max(1, (alpha > 0.5).sum())
    if alpha[face].mean() < CLEAR_FACE or doubt > MOST_DOUBT:
        return None
    return alpha


def cut_out(photo: Image, alpha: Floats) -> tuple[Image, Image]:
    """The person uint8[H, W, 4] RGBA, straight alpha, freed of the background's colour, and the
    background uint8[H, W, 3] RGB with the person's place filled in."""
    image = photo.astype(np.float32)
    behind = _filled(image, (alpha < 0.02).astype(np.float32))
    front = _filled(image, (alpha > 0.98).astype(np.float32))
    a = alpha[..., None]
    # What the mixture lacks is shared between the two (Forte 2021, one step of blur-fusion).
    front = front + a * (image - a * front - (1 - a) * behind)
    front = np.where(a > 0.98, image, front)
    figure = np.dstack([front, 255 * alpha])
    return (
        np.clip(np.round(figure), 0, 255).astype(np.uint8),
        np.clip(np.round(behind), 0, 255).astype(np.uint8),
    )


def _segmented(network: cv2.dnn.Net, photo: Image) -> Floats:
    small = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    network.setInput(small.astype(np.float32).transpose(2, 0, 1)[None] / 255)
    found = network.forward().reshape(SIDE, SIDE)
    size = (photo.shape[1], photo.shape[0])
    return np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _fading(shape: tuple[int, ...], edge: float) -> Floats:
    """1 in the middle, falling to 0 at the border over ``edge`` of the sides."""
    height, width = shape
    x = np.minimum(np.arange(width), np.arange(width)[::-1]) / (edge * width)
    y = np.minimum(np.arange(height), np.arange(height)[::-1]) / (edge * height)
    share = np.clip(np.minimum(x[None], y[:, None]), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _with_face(alpha: Floats, points: Array) -> Floats:
    """Only the piece that has the face: no neighbour's arm, no picture on the wall."""
    count, labels = cv2.connectedComponents((alpha > 0.25).astype(np.uint8))
    x, y = np.clip(points[1].astype(int), 0, np.array(alpha.shape[::-1]) - 1)
    own = labels == labels[y, x] if count > 1 and labels[y, x] else alpha > 0.25
    keep = cv2.dilate(own.astype(np.uint8), np.ones((9, 9), np.uint8))
    # Holes within the person are the network's mistakes more often than gaps under an arm.
    outside = (1 - keep).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(outside)
    small = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] < 0.01 * alpha.size]
    filled = np.where(np.isin(labels, small), 1.0, alpha * keep)
    return np.asarray(np.clip(filled, 0, 1), np.float32)


def _guided(photo: Image, alpha: Floats, radius: int) -> Floats:
    """Grey guided filter: alpha as a local linear function of the photo's brightness."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    guide = np.asarray(grey, np.float32) / np.float32(255)
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(image: NDArray[np.floating[Any]]) -> Floats:
        return np.asarray(cv2.blur(image, size, borderType=cv2.BORDER_REFLECT), np.float32)

    mean_g, mean_a = mean(guide), mean(alpha)
    slope = (mean(guide * alpha) - mean_g * mean_a) / (mean(guide * guide) - mean_g**2 + 1e-3)
    return np.asarray(mean(slope) * guide + mean(mean_a - slope * mean_g), np.float32)


def _filled(image: Floats, known: Floats) -> Floats:
    """``image`` where known is 1, elsewhere a smooth continuation (push-pull over a pyramid)."""
    if min(image.shape[:2]) <= 4 or known.all():
        total = max(float(known.sum()), 1.0)
        mean = (image * known[..., None]).sum((0, 1)) / total
        return np.asarray(image * known[..., None] + mean * (1 - known[..., None]), np.float32)
    size = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA)
    small = small / np.maximum(weight, 1e-4)[..., None]
    coarse = _filled(np.asarray(small, np.float32), (weight > 0.2).astype(np.float32))
    up = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(image * known[..., None] + up * (1 - known[..., None]), np.float32)
