"""What colours teeth and tongue would have in the light of a photo.

The white of the eyes is the only part of a face whose own colour is known: it tells how bright
and how warm white things are here.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.geometry import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER, Array
from mien.avatar.photo.inside import Tones
from mien.avatar.photo.lips import PARTED, gap
from mien.media.tick import Image

RIGHT_EYE = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7]
LEFT_EYE = [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249]
CHEEK_SKIN = [[50, 205, 187, 123], [280, 425, 411, 352]]
LUMA = np.array([0.299, 0.587, 0.114])
# Lids and lashes shade the white of the eye; enamel in the open is brighter, and warmer.
ENAMEL = 1.2 * np.array([1.02, 1.0, 0.94])
FLESH = np.array([186.0, 104.0, 100.0])  # a tongue in neutral light beside white 215


def tones(photo: Image, points: Array, blur: float) -> Tones:
    """photo: uint8[H, W, 3] RGB; points: float64[468, 2] pixels; blur: sigma, pixels."""
    skin = skin_colour(photo, points)
    white = _eye_white(photo, points, skin)
    brightness = float(white @ LUMA)
    light = (white / brightness) ** 0.7  # eyes also mirror what is before them: not all of it
    enamel = _teeth(photo, points, skin)
    if enamel is None:
        enamel = brightness * light * ENAMEL
    red = [OUTER_UPPER + INNER_UPPER[::-1], OUTER_LOWER + INNER_LOWER[::-1]]
    lips = _median(photo, [points[i] for i in red])
    colourful = min(1.0, float(skin.max() - skin.min()) / (0.12 * float(skin.max()) + 1))
    flesh_here = FLESH @ LUMA + (FLESH - FLESH @ LUMA) * colourful  # grey in a grey photo
    flesh = 0.5 * lips + 0.5 * flesh_here * light * (brightness / 215)
    return Tones(np.clip(enamel, 0, 245), np.clip(flesh, 0, 255), blur)


def skin_colour(photo: Image, points: Array) -> Array:
    """Median RGB of the cheeks, float64[3] 0…255."""
    return _median(photo, [points[i] for i in CHEEK_SKIN])


def mask_of(shape: tuple[int, ...], polygons: list[Array]) -> NDArray[np.bool_]:
    """bool[H, W], True inside any of the polygons (float64[n, 2] pixels)."""
    mask = np.zeros(shape[:2], np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
    return mask > 0


def _median(photo: Image, polygons: list[Array]) -> Array:
    found = photo[mask_of(photo.shape, polygons)]
    return np.asarray(np.median(found, 0) if len(found) else photo.mean((0, 1)), np.float64)


def _teeth(photo: Image, points: Array, skin: Array) -> Array | None:
    """Their own colour, where the photo shows them."""
    if gap(points) < PARTED:
        return None
    between = points[INNER_UPPER + INNER_LOWER[::-1]]
    inside = photo[mask_of(photo.shape, [between])].astype(np.float64)
    pale = inside[(inside.max(1) - inside.min(1) < 0.35 * inside.max(1))]
    bright = pale[pale @ LUMA > 0.9 * (skin @ LUMA)]
    if len(bright) < max(30, 0.15 * len(inside)):
        return None
    return np.asarray(np.percentile(bright, 60, axis=0))


def _eye_white(photo: Image, points: Array, skin: Array) -> Array:
    inside = photo[mask_of(photo.shape, [points[RIGHT_EYE], points[LEFT_EYE]])].astype(np.float64)
    skin_light = float(skin @ LUMA)
    if len(inside) >= 40:
        light = inside @ LUMA
        spread = inside.max(1) - inside.min(1)
        # Neither iris, lashes nor reflections, nor the pink of the corners.
        low, high = np.percentile(light, (60, 95))
        white = inside[(light >= low) & (light <= high) & (spread < 0.30 * inside.max(1))]
        if len(white) >= 15:
            found = np.asarray(np.median(white, 0))
            brightness = float(found @ LUMA)
            # Lids shade small eyes; teeth are never darker than the skin around them.
            return found * min(max(brightness, 1.06 * skin_light, 70.0), 225.0) / brightness
    grey = 0.75 * np.full(3, skin_light) + 0.25 * skin
    return np.asarray(grey * min(max(1.12 * skin_light, 90.0), 215.0) / float(grey @ LUMA))
