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
# From this alpha on a pixel shows its own colour; with less, its few steps of premultiplied
# colour tell less than what is around it.
OWN_COLOUR = 64


def bled(cutout: Image) -> Image:
    """The figure's colours carried on beyond its edge; alpha stays as it is.

    Codecs blur colour over neighbouring pixels, and store a picture's colours apart from its
    alpha: black next to the figure would come back as a dark rim around it.

    cutout: uint8[H, W, 4] RGBA, straight alpha. Returns a new array of the same shape.
    """
    out = cv2.cvtColor(_bled_colours(cutout), cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(cv2.extractChannel(cutout, 3), out, 3)
    return np.asarray(out, np.uint8)


def side_by_side(cutout: Image) -> Image:
    """A cut-out as one opaque picture, for codecs without alpha: colours left, alpha right.

    cutout: uint8[H, W, 4] RGBA, straight alpha; or uint8[H, W, 3] RGB, which hides all behind it.
    Returns uint8[H, 2 * W, 3] RGB, newly made; its right half is grey, 0 … 255.
    """
    height, width, channels = cutout.shape
    out = np.full((height, 2 * width, 3), 255, np.uint8)
    if channels == 3:
        out[:, :width] = cutout
    else:
        out[:, :width] = _bled_colours(cutout)
        out[:, width:] = cv2.cvtColor(cv2.extractChannel(cutout, 3), cv2.COLOR_GRAY2RGB)
    return out


def _bled_colours(cutout: Image) -> Image:
    """uint8[H, W, 3] RGB."""
    height, width = cutout.shape[:2]
    # In bytes, a cell that holds a little of the figure would round its colour away.
    near = _around(np.asarray(cv2.cvtColor(cutout, cv2.COLOR_RGBA2mRGBA), np.float32))
    out = cv2.resize(near, (width, height), interpolation=cv2.INTER_LINEAR)
    alpha = cv2.extractChannel(cutout, 3)
    _, own = cv2.threshold(alpha, OWN_COLOUR, 255, cv2.THRESH_BINARY)
    return np.asarray(cv2.copyTo(cv2.cvtColor(cutout, cv2.COLOR_RGBA2RGB), own, out), np.uint8)


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
