"""Bending and laying over, tile by tile, of only what can be seen.

A layer is bent by asking for each pixel of the picture where it comes from, some 3 ns each; the
layers of a figure together have three times as many pixels as can be seen. So each layer says
roughly, per tile of 16×16 pixels, whether it is clear, opaque or has an edge there: clear tiles
and what opaque ones hide are left out, opaque ones are copied, and only edges are blended.

Within a tile the bend is interpolated between its corners, which makes all maps one product with
a constant matrix; and a few hundred tiles at a time stay in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Image

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

TILE = 16
PIXELS = TILE * TILE
BATCH = 256  # tiles; 0.8 MB of maps and pixels, and products too small for BLAS to use threads

CLEAR, EDGE, OPAQUE = 0, 1, 2
LATTICE = 2  # pixels of the layer between places whose cover is known
# A tile may come from a larger piece of the layer: turned by 6° and stretched by a tenth.
STRETCH = 1.2

_u = (np.arange(TILE) + 0.5) / TILE
# float32[4, 256]: shares of a tile's corners (left top, right top, left bottom, right bottom).
_SHARES = (
    np.stack(
        [np.outer(1 - _u, 1 - _u), np.outer(1 - _u, _u), np.outer(_u, 1 - _u), np.outer(_u, _u)]
    )
    .reshape(4, PIXELS)
    .astype(np.float32)
)


def tiles_of(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of tiles that cover a picture of ``size`` (width, height)."""
    return -(-size[1] // TILE), -(-size[0] // TILE)


def tiled(frame: Image) -> NDArray[np.uint32]:
    """A view uint32[rows, columns, 16, 16] of uint8[rows*16, columns*16, 4]."""
    height, width = frame.shape[:2]
    words = frame.view(np.uint32).reshape(height // TILE, TILE, width // TILE, TILE)
    return words.transpose(0, 2, 1, 3)


class Cover:
    """Where a layer is clear, opaque or neither; uint8 states around places of the layer."""

    def __init__(self, least: Image, most: Image, scale: float) -> None:
        """least, most: uint8[h, w], the alpha that the layer has at least and at most, whatever
        is painted on it. scale: pixels of the layer per pixel of the picture."""
        radius = int(np.ceil(TILE / 2 * scale * STRETCH)) + LATTICE // 2 + 1
        around = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
        # So far out that the border's own state is that of everything beyond it.
        self._margin = -(-radius // LATTICE) * LATTICE
        least, most = (np.pad(alpha, self._margin, mode="edge") for alpha in (least, most))
        clear = cv2.dilate(most, around, borderType=cv2.BORDER_REPLICATE) == 0
        opaque = cv2.erode(least, around, borderType=cv2.BORDER_REPLICATE) == 255
        states = np.where(clear, CLEAR, np.where(opaque, OPAQUE, EDGE)).astype(np.uint8)
        self._states = np.ascontiguousarray(states[::LATTICE, ::LATTICE])

    def at(self, corners: Floats) -> NDArray[np.uint8]:
        """uint8[rows, columns] states of tiles, whose corners come from float32[rows + 1,
        columns + 1, 2] (x, y in the layer)."""
        middle = (corners[:-1, :-1] + corners[1:, 1:]) * np.float32(0.5) + self._margin
        at = np.rint(middle / LATTICE).astype(np.intp)
        height, width = self._states.shape
        x = np.clip(at[..., 0], 0, width - 1)
        y = np.clip(at[..., 1], 0, height - 1)
        found: NDArray[np.uint8] = self._states[y, x]
        return found


@dataclass
class Bench:
    """One thread's buffers for a batch of tiles."""

    x: Floats = field(default_factory=lambda: np.empty((BATCH, PIXELS), np.float32))
    y: Floats = field(default_factory=lambda: np.empty((BATCH, PIXELS), np.float32))
    moved: Image = field(default_factory=lambda: np.empty((BATCH, PIXELS, 4), np.uint8))
    below: Image = field(default_factory=lambda: np.empty((BATCH, PIXELS, 4), np.uint8))
    through: Image = field(default_factory=lambda: np.empty((BATCH, PIXELS, 4), np.uint8))


def lay(
    image: Image,
    corners: Floats,
    states: NDArray[np.uint8],
    frame: NDArray[np.uint32],
    bench: Bench,
) -> None:
    """Bend ``image`` and lay it over ``frame`` (changed) in the tiles that are not clear.

    image: uint8[h, w, 4] RGBA, premultiplied. corners: float32[rows + 1, columns + 1, 2], where
    in it the tiles' corners come from. states: uint8[rows, columns]. frame: see ``tiled``.
    """
    x, y = corners[..., 0].ravel(), corners[..., 1].ravel()
    across = corners.shape[1]
    around = np.array([0, 1, across, across + 1])
    for state in (OPAQUE, EDGE):
        rows, columns = np.nonzero(states == state)
        of_tiles = (rows * across + columns)[:, None] + around
        at_x, at_y = x[of_tiles], y[of_tiles]
        for first in range(0, len(rows), BATCH):
            batch = slice(first, first + BATCH)
            at = rows[batch], columns[batch]
            count = len(at[0])
            moved = bench.moved[:count]
            cv2.remap(
                image,
                np.matmul(at_x[batch], _SHARES, out=bench.x[:count]),
                np.matmul(at_y[batch], _SHARES, out=bench.y[:count]),
                cv2.INTER_LINEAR,
                dst=moved,
                borderMode=cv2.BORDER_REPLICATE,
            )
            words = moved.view(np.uint32).reshape(count, TILE, TILE)
            if state == EDGE:
                below = bench.below[:count].view(np.uint32).reshape(count, TILE, TILE)
                below[:] = frame[at]
                _over(moved, bench.below[:count], bench.through[:count])
                words = below
            frame[at] = words


def _over(moved: Image, below: Image, through: Image) -> None:
    """below = moved + below · (1 - alpha), premultiplied; ``through`` is scratch."""
    clear = cv2.extractChannel(moved, 3)
    cv2.bitwise_not(clear, dst=clear)
    cv2.merge([clear] * 4, dst=through)
    cv2.multiply(below, through, dst=below, scale=1 / 255)
    cv2.add(below, moved, dst=below)
