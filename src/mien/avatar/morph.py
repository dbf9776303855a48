"""Pictures of one part of the face, and everything between them.

A plain cross-fade of two mouths shows two mouths. Here each picture is first bent to the wanted
in-between geometry, so that lips lie on lips and teeth on teeth, and only then blended.

Geometry: the movements of the face's surface are spanned by k principal movements. Picture i was
taken at ``coefficients[i]``; ``fields[i, k]`` says how far (pixels x, y; on a coarse grid over the
box) the surface seen at each place of picture i moves per unit of movement k. A face at c is
drawn from picture i by moving its surface by (c - coefficients[i]) · fields[i].
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.framing import Rect, View
from mien.avatar.patches import Patches
from mien.avatar.resample import premultiplied, resampled
from mien.media.tick import Image

Floats = NDArray[np.float32]

INVISIBLE = 0.01  # a share of a picture too small to be worth bending it
STILL = 0.05  # pixels; a picture that would move less is used as it is


class Morph:
    """Immutable; ``paint`` may be called from any thread."""

    def __init__(self, patches: Patches[Any], view: View) -> None:
        self.place = view.rect(patches.box)
        self._width, self._height = self.place.width, self.place.height
        origin = patches.box[:2]
        self._images = np.stack(
            [resampled(premultiplied(i), origin, view, self.place) for i in patches.images]
        )
        self._coefficients = patches.coefficients
        self._bends = patches.bends
        self._local = threading.local()
        y, x = np.mgrid[0 : self._height, 0 : self._width].astype(np.float32)
        self._x, self._y = x, y
        mask = feather_mask(self._width, self._height, round(patches.feather * view.scale))
        self._in, self._out = mask, 1 - mask
        if patches.fields is not None:
            n, k, _, self._gh, self._gw = patches.fields.shape
            # One row per movement, so that a movement's weights make the field in one product.
            self._fields = patches.fields.reshape(n, k, -1) * np.float32(view.scale)
            gy, gx = np.mgrid[0 : self._gh, 0 : self._gw].astype(np.float32)
            self._gx, self._gy = gx, gy
            self._cell = (self._width / self._gw, self._height / self._gh)

    def paint(
        self,
        layer: Image,
        origin: Rect,
        weights: Sequence[tuple[int, float]],
        bends: Mapping[str, float] | None = None,
    ) -> None:
        """Draws the face at the weighted mean of pictures into ``layer`` (changed).

        layer: uint8[H, W, 4] RGBA, premultiplied, of the pixels ``origin`` of the picture.
        weights: (index of the picture, share), shares summing to 1. bends: amounts of movements
        for which there is no picture; unknown ones are ignored.
        """
        patch = self.patch(weights, bends)
        view = layer[self.place.seen_from(origin).slices]
        view[:] = cv2.blendLinear(patch, np.ascontiguousarray(view), self._in, self._out)

    def patch(
        self, weights: Sequence[tuple[int, float]], bends: Mapping[str, float] | None = None
    ) -> Image:
        """The whole box, uint8[h, w, 4] RGBA, before it is blended into a layer.

        A face that rests is the same from picture to picture and is not bent again.
        """
        rounded = ((name, round(amount, 3)) for name, amount in (bends or {}).items())
        asked = (tuple(weights), tuple(rounded))
        last: tuple[object, Image] | None = getattr(self._local, "last", None)
        if last is None or last[0] != asked:
            last = self._local.last = (asked, self._painted(weights, bends or {}))
        return last[1]

    def _painted(self, weights: Sequence[tuple[int, float]], bends: Mapping[str, float]) -> Image:
        goal = self._goal(weights, bends)
        if goal is not None:
            weights = _sharpened(weights)
        total: Image | None = None
        share = 0.0
        for i, weight in weights:
            image = self._images[i] if goal is None else self._bent(i, goal)
            share += weight
            if total is None:
                total = image
            else:
                part = weight / share
                total = np.asarray(cv2.addWeighted(total, 1 - part, image, part, 0), np.uint8)
        if total is None:
            raise ValueError("weights must name at least one picture")
        return total

    def _goal(
        self, weights: Sequence[tuple[int, float]], bends: Mapping[str, float]
    ) -> Floats | None:
        if self._coefficients is None:
            return None
        goal = np.zeros(self._coefficients.shape[1], np.float32)
        for i, weight in weights:
            goal += np.float32(weight) * self._coefficients[i]
        for name, amount in bends.items():
            if name in self._bends:
                goal += np.float32(amount) * self._bends[name]
        return goal

    def _bent(self, i: int, goal: Floats) -> Image:
        assert self._coefficients is not None
        step = goal - self._coefficients[i]
        flow = (step @ self._fields[i]).reshape(2, self._gh, self._gw)
        if abs(flow).max() < STILL:
            return np.asarray(self._images[i], np.uint8)
        # The field moves points of picture i to the face wanted; drawing needs the way back. One
        # fixed-point step: where was the point that arrived here?
        cx, cy = self._cell
        from_x, from_y = self._gx - flow[0] / cx, self._gy - flow[1] / cy
        edge = cv2.BORDER_REPLICATE
        back_x = cv2.remap(flow[0], from_x, from_y, cv2.INTER_LINEAR, borderMode=edge)
        back_y = cv2.remap(flow[1], from_x, from_y, cv2.INTER_LINEAR, borderMode=edge)
        map_x, map_y = self._scratch()
        size = (self._width, self._height)
        cv2.resize(back_x, size, dst=map_x, interpolation=cv2.INTER_LINEAR)
        cv2.resize(back_y, size, dst=map_y, interpolation=cv2.INTER_LINEAR)
        np.subtract(self._x, map_x, out=map_x)
        np.subtract(self._y, map_y, out=map_y)
        bent = cv2.remap(self._images[i], map_x, map_y, cv2.INTER_LINEAR, borderMode=edge)
        return np.asarray(bent, np.uint8)

    def _scratch(self) -> tuple[Floats, Floats]:
        buffers: tuple[Floats, Floats] | None = getattr(self._local, "buffers", None)
        if buffers is None:
            shape = (self._height, self._width)
            buffers = (np.empty(shape, np.float32), np.empty(shape, np.float32))
            self._local.buffers = buffers
        return buffers


def _sharpened(weights: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Shares leaning towards the nearest picture. The geometry is where it should be whatever the
    shares; what does not move with it (highlights, teeth coming into view) is doubled less."""
    squares = [(i, w * w) for i, w in weights]
    total = sum(w for _, w in squares)
    seen = [(i, w / total) for i, w in squares if w > INVISIBLE * total]
    return seen or squares


def feather_mask(width: int, height: int, feather: int) -> Floats:
    """float32[height, width]: 1 inside, falling smoothly to 0 at the border, round corners."""
    radius = max(1, feather)
    solid = np.zeros((height, width), np.float32)
    solid[radius : height - radius, radius : width - radius] = 1
    mask = np.asarray(cv2.GaussianBlur(solid, (0, 0), radius / 2.5), np.float32)
    x = np.minimum(np.arange(width), np.arange(width)[::-1]) / radius
    y = np.minimum(np.arange(height), np.arange(height)[::-1]) / radius
    edge = np.clip(np.minimum(x[None], y[:, None]), 0, 1)  # exactly 0 on the border itself
    return np.asarray(mask * edge, np.float32)
