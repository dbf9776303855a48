"""The layers of the figure, scaled for one picture size, ready to be bent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.avatar.framing import Cut, Rect, View
from mien.avatar.motion import LIMITS, Body, Reals, moves
from mien.avatar.package import Layer, Package
from mien.avatar.resample import crisp, premultiplied, resampled
from mien.avatar.tiles import TILE, Cover, tiles_of
from mien.media.tick import Image

Floats = NDArray[np.float32]


class ScaledLayer:
    """Immutable. image: uint8[h, w, 4] RGBA, premultiplied, of the pixels ``place`` of the
    material (the canvas as ``material`` shows it). window: rows and columns of the picture's tiles
    that it can reach."""

    def __init__(
        self,
        layer: Layer,
        package: Package,
        view: View,
        size: tuple[int, int],
        material: View,
        painted: Rect | None,
    ) -> None:
        """view, size: of the picture. painted: pixels of the material that are needed anyway,
        because something will be painted on them."""
        rows, columns = tiles_of(size)
        # Corners of the picture's tiles, on the canvas.
        x = np.arange(columns + 1) * TILE / view.scale + view.left
        y = np.arange(rows + 1) * TILE / view.scale + view.top
        move = moves(layer, Body.of(package), x, y)
        reach = np.tensordot(LIMITS, np.abs(move), 1).max() + 4 / material.scale
        left, top, width, height = _content(layer)
        seen = _overlap((x[0] - reach, x[-1] + reach), (left, left + width))
        high = _overlap((y[0] - reach, y[-1] + reach), (top, top + height))
        box = (seen[0], high[0], seen[1] - seen[0], high[1] - high[0])
        place = material.rect(box).grown(2)
        self.place = place if painted is None else place.joined(painted)
        image, origin = _padded(layer, package.size)
        self.image = crisp(resampled(premultiplied(image), origin, material, self.place))
        self.image.setflags(write=False)
        self.cover = Cover(self.image[..., 3], self.image[..., 3], material.scale / view.scale)
        self._scale = material.scale / view.scale
        at_x = (x - material.left) * material.scale - self.place.left - 0.5
        at_y = (y - material.top) * material.scale - self.place.top - 0.5
        self.window = (
            _touched(at_y, self.place.height, reach * material.scale),
            _touched(at_x, self.place.width, reach * material.scale),
        )
        down, across = (slice(part.start, part.stop + 1) for part in self.window)
        still = np.stack(np.meshgrid(at_x[across], at_y[down]), -1)
        self._still = still.astype(np.float32)
        self._moves = np.ascontiguousarray(move[:, down, across]) * np.float32(material.scale)

    def widen_cover(self, place: Rect, least: Image, most: Image) -> None:
        """Take note of parts that will be painted on; before the layer is used.

        place: pixels of the material. least, most: uint8[h, w] alpha of all that may be painted.
        """
        low, high = self.image[..., 3].copy(), self.image[..., 3].copy()
        at = place.seen_from(self.place).slices
        low[at] = np.minimum(low[at], least)
        high[at] = np.maximum(high[at], most)
        self.cover = Cover(low, high, self._scale)

    def corners(self, controls: Floats) -> Floats:
        """float32[rows + 1, columns + 1, 2]: where in ``image`` the window's tiles' corners come
        from."""
        found: Floats = self._still - np.tensordot(controls, self._moves, 1)
        return found


def _touched(at: Reals, length: int, reach: float) -> slice:
    """Of tiles with borders ``at`` in a picture of ``length`` pixels, those that it reaches."""
    inside = (at[1:] > -reach) & (at[:-1] < length + reach)
    found = np.flatnonzero(inside)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def cut_sides(package: Package) -> Cut:
    """On which sides of the canvas the figure is cut off within its focus."""
    width, height = package.size
    left, top, right = False, False, False
    rows = slice(0, package.focus[1] + package.focus[3])
    for layer in package.layers:
        alpha = np.zeros((height, width), np.uint8)
        x, y, w, h = layer.box
        alpha[y : y + h, x : x + w] = layer.image[..., 3]
        seen = alpha > 32
        left |= bool(seen[rows, 0].any())
        right |= bool(seen[rows, -1].any())
        top |= bool(seen[0].any())
    return Cut(left, top, right)


def _content(layer: Layer) -> tuple[int, int, int, int]:
    """The box of the canvas outside which the layer is clear."""
    seen = layer.image[..., 3] > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        return (*layer.box[:2], 1, 1)
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
    return layer.box[0] + left, layer.box[1] + top, width, height


def _padded(layer: Layer, canvas: tuple[int, int]) -> tuple[Image, tuple[int, int]]:
    """The layer's picture and its left top corner on the canvas, with a clear border where it
    does not end at the canvas's: beyond its borders a picture goes on as it is there."""
    left, top, width, height = layer.box
    right, bottom = canvas[0] - left - width, canvas[1] - top - height
    across, down = (int(left > 0), int(right > 0)), (int(top > 0), int(bottom > 0))
    return np.pad(layer.image, (down, across, (0, 0))), (left - across[0], top - down[0])


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """What two ranges share; at least one pixel long, wherever it lies."""
    low = max(a[0], b[0])
    return low, max(low + 1, min(a[1], b[1]))
