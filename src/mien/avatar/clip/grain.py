"""The noise of the camera, for what no camera took.

A painted mouth is smooth. In a clip filmed in a room it shows as a patch of plastic, however well
its colours fit, unless it gets the grain that the skin around it has.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Image

Floats = NDArray[np.float32]
Grain = NDArray[np.int16]

HIGH = 2.0  # pixels: what is finer counts as grain
# Levels of 255. Pores and shading alone measure 1.0 to 1.3, a phone indoors 2 to 5.
SKIN, LEAST, MOST = 1.2, 0.8, 12.0
SCATTERS = (0.0, 0.4, 0.6, 0.8, 1.0, 1.3)  # pixels over which a codec may have smeared the noise
OFFSETS = 64  # pixels the grain is moved by from frame to frame, at most
FEWEST = 400  # pixels to be measured
TO_STD = 1.4826  # from the median deviation; edges and hair in what is measured do not count


def measured(pictures: list[Image], skin: list[NDArray[np.bool_]]) -> tuple[float, float, float]:
    """Standard deviation of lightness and of the channels around it, in levels, and how much
    neighbours are alike, -1 … 1. All 0 where too little is seen.

    pictures: uint8[h, w, 3]; skin: bool[h, w], where to look in each.
    """
    light, colour, alike = [], [], []
    for picture, where in zip(pictures, skin, strict=True):
        if where.sum() < FEWEST:
            continue
        fine = _fine(picture.astype(np.float32))
        grey = fine.mean(2)
        light.append(_std(grey[where]))
        colour.append(_std((fine - grey[..., None])[where]))
        alike.append(_alike(grey, where))
    if not light:
        return 0.0, 0.0, 0.0
    return float(np.median(light)), float(np.median(colour)), float(np.median(alike))


def grain_like(light: float, colour: float, alike: float, size: tuple[int, int]) -> Grain | None:
    """int16[h, w, 3] to add to a patch: noise as it was ``measured``, always the same. None for a
    clip without.

    size: width, height of the largest patch; there is room for ``shifted`` beyond it.
    """
    share = max(0.0, 1 - (SKIN / light) ** 2) ** 0.5 if light else 0.0  # variances add up
    if share * light < LEAST:
        return None
    shape = (size[1] + OFFSETS, size[0] + OFFSETS, 3)
    noise = np.random.default_rng(0).standard_normal(shape, np.float32)
    scattered = [_scattered(noise, scatter) for scatter in SCATTERS]
    whole = np.ones(shape[:2], bool)
    nearest = min(scattered, key=lambda n: abs(_alike(_fine(n).mean(2), whole) - alike))
    grey = nearest.mean(2, keepdims=True)
    tint = nearest - grey
    levels = [
        part * np.float32(min(share * wanted, MOST) / max(_std(_fine(part)), 1e-6))
        for part, wanted in ((grey, light), (tint, colour))
    ]
    return np.asarray(np.round(levels[0] + levels[1]), np.int16)


def shifted(grain: Grain, frame: int) -> Grain:
    """Another part for every frame: grain that stands still looks like a dirty lens."""
    mixed = (frame * 2654435761) & 0xFFFFFFFF  # Knuth's multiplicative hash
    return grain[(mixed >> 8) % OFFSETS :, (mixed >> 20) % OFFSETS :]


def _fine(image: Floats) -> Floats:
    return np.asarray(image - _scattered(image, HIGH), np.float32)


def _scattered(image: Floats, sigma: float) -> Floats:
    if sigma == 0:
        return image
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32).reshape(image.shape)


def _std(values: Floats) -> float:
    return TO_STD * float(np.median(np.abs(values - np.median(values))))


def _alike(grey: Floats, where: NDArray[np.bool_]) -> float:
    """Correlation of pixels with their right neighbours, of those without edges."""
    both = where[:, 1:] & where[:, :-1]
    a, b = grey[:, 1:][both], grey[:, :-1][both]
    limit = 3 * max(_std(grey[where]), 1e-6)
    plain = (np.abs(a) < limit) & (np.abs(b) < limit)
    square = float((a[plain] ** 2).mean()) if plain.any() else 0.0
    return float((a[plain] * b[plain]).mean()) / square if square else 0.0
