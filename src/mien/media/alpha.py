"""Preparing a cut-out figure for codecs that know nothing of its edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Image

# Cell sizes in pixels, each four times the last: the finest that holds some of the figure decides.
CELLS = (8, 32, 128, 512)
# How little a coarser cell counts beside a finer one. Larger and far colours leak to the edge;
# smaller and the steps between cells show, which costs bits.
LEAK = 0.01


def bled(cutout: Image) -> Image:
    """The figure's colours carried on beyond its edge; alpha stays as it is.

    Codecs blur colour over neighbouring pixels, and store a picture's colours apart from its
    alpha: black next to the figure would come back as a dark rim around it.

    cutout: uint8[H, W, 4] RGBA, straight alpha. Returns a new array of the same shape.
    """
    height, width = cutout.shape[:2]
    alpha = cutout[..., 3]
    figure = cv2.multiply(cutout[..., :3], cv2.merge([alpha] * 3), scale=1 / 255)
    near = _around(np.dstack((figure, alpha)).astype(np.float32))
    around = cv2.resize(near, (width, height), interpolation=cv2.INTER_LINEAR)
    holes = cv2.merge([cv2.bitwise_not(alpha)] * 3)
    colours = cv2.add(figure, cv2.multiply(around, holes, scale=1 / 255))
    return np.dstack((colours, alpha))


def _around(figure: NDArray[np.float32]) -> Image:
    """float32[H, W, 4] premultiplied → uint8[h, w, 3] near colours for every finest cell."""
    levels = [figure]
    for cell in CELLS:
        size = max(1, figure.shape[1] // cell), max(1, figure.shape[0] // cell)
        levels.append(_resized(levels[-1], size, cv2.INTER_AREA))
    summed = levels.pop()
    while len(levels) > 1:
        finer = levels.pop()
        beyond = _resized(summed, (finer.shape[1], finer.shape[0]), cv2.INTER_LINEAR)
        summed = finer + LEAK * beyond
    colours = summed[..., :3] * 255 / np.maximum(summed[..., 3:], 1e-6)
    return np.clip(cv2.blur(colours, (3, 3)), 0, 255).astype(np.uint8)


def _resized(cells: NDArray[np.float32], size: tuple[int, int], how: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(cells, size, interpolation=how), np.float32)
