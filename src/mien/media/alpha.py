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
    colours = np.empty((*cutout.shape[:2], 3), np.uint8)
    _bleed(cutout, colours)
    return np.asarray(cv2.merge([*cv2.split(colours), cv2.extractChannel(cutout, 3)]), np.uint8)


def side_by_side(cutout: Image) -> Image:
    """A cut-out as one opaque picture, for codecs without alpha: colours left, alpha right.

    cutout: uint8[H, W, 4] RGBA, straight alpha; or uint8[H, W, 3] RGB, which hides all behind it.
    Returns uint8[H, 2 * W, 3] RGB, newly made; its right half is grey, 0 … 255.
    """
    height, width, channels = cutout.shape
    out = np.empty((height, 2 * width, 3), np.uint8)
    left, right = out[:, :width], out[:, width:]
    if channels == 3:
        left[:], right[:] = cutout, 255
    else:
        _bleed(cutout, left)
        cv2.cvtColor(cv2.extractChannel(cutout, 3), cv2.COLOR_GRAY2RGB, dst=right)
    return out


def _bleed(cutout: Image, out: Image) -> None:
    """Writes the figure's colours, carried on, into uint8[H, W, 3] RGB."""
    height, width = cutout.shape[:2]
    near = _around(_cells(np.asarray(cv2.cvtColor(cutout, cv2.COLOR_RGBA2mRGBA), np.uint8)))
    cv2.resize(near, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
    _, own = cv2.threshold(cv2.extractChannel(cutout, 3), OWN_COLOUR, 255, cv2.THRESH_BINARY)
    cv2.copyTo(cv2.cvtColor(cutout, cv2.COLOR_RGBA2RGB), own, dst=out)


def _cells(figure: Image) -> NDArray[np.float32]:
    """uint8[H, W, 4] → float32[h, w, 4], the mean of each of the finest cells.

    Not in bytes: a cell that holds little of the figure would round its colour away.
    """
    height, width = figure.shape[:2]
    cell = CELLS[0]
    size = max(1, width // cell), max(1, height // cell)
    if height % cell:
        return _resized(figure.astype(np.float32), size, cv2.INTER_AREA)
    # A third of the time, for the sizes that people choose: whole rows are summed first.
    rows = np.add.reduce(figure.reshape(-1, cell, width * 4), axis=1, dtype=np.uint16)
    means = rows.reshape(-1, width, 4).astype(np.float32) / np.float32(cell)
    return _resized(means, size, cv2.INTER_AREA)


def _around(cells: NDArray[np.float32]) -> Image:
    """float32[h, w, 4] premultiplied → uint8[h, w, 3] near colours for every finest cell."""
    levels = [cells]
    for cell in CELLS[1:]:
        step = cell // CELLS[0]
        size = max(1, cells.shape[1] // step), max(1, cells.shape[0] // step)
        levels.append(_resized(levels[-1], size, cv2.INTER_AREA))
    summed = levels.pop()
    while levels:
        finer = levels.pop()
        beyond = _resized(summed, (finer.shape[1], finer.shape[0]), cv2.INTER_LINEAR)
        summed = finer + LEAK * beyond
    colours = summed[..., :3] * 255 / np.maximum(summed[..., 3:], 1e-6)
    return np.clip(cv2.blur(colours, (3, 3)), 0, 255).astype(np.uint8)


def _resized(cells: NDArray[np.float32], size: tuple[int, int], how: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(cells, size, interpolation=how), np.float32)
