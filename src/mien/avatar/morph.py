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

from mien.avatar.framing import View
from mien.avatar.patches import Patches
from mien.avatar.resample import crisp, premultiplied, resampled
from mien.media.tick import Image

Floats = NDArray[np.float32]
Shift = tuple[int, int, float]  # towards this picture, away from that one, by this share

# Each picture costs 4 ns per pixel of the box to bend. A share below the first cannot be seen; more
# pictures than the second are asked for only where plain and smiling mouths mix.
INVISIBLE, MOST_PICTURES = 0.03, 4
NO_MAP: Any = None  # x and y are in one map, which the stubs of OpenCV do not know
STILL = 0.05  # pixels; a picture that would move less is used as it is


class Morph:
    """Immutable; ``patch`` may be called from any thread. place: the box, in pixels of the
    material."""

    def __init__(self, patches: Patches[Any], material: View) -> None:
        self.place = material.rect(patches.box)
        size = self.place.width, self.place.height
        origin = patches.box[:2]
        self._images = np.stack(
            [
                crisp(resampled(premultiplied(image), origin, material, self.place))
                for image in patches.images
            ]
        )
        self._images.setflags(write=False)
        self.mask = feather_mask(*size, round(patches.feather * material.scale))
        self._coefficients = patches.coefficients
        self._bends = patches.bends
        self._local = threading.local()
        if patches.fields is not None:
            n, k, _, rows, columns = patches.fields.shape
            # One row per movement, so that a movement's weights make the field in one product;
            # x and y side by side, as OpenCV wants them.
            fields = patches.fields.transpose(0, 1, 3, 4, 2) * np.float32(material.scale)
            self._fields = np.ascontiguousarray(fields).reshape(n, k, -1)
            self._still = _places(columns, rows)
            self._cell = np.array([columns / size[0], rows / size[1]], np.float32)
            self._pixels = _places(*size)

    @property
    def alpha(self) -> tuple[Image, Image]:
        """uint8[h, w] each: the least and the most alpha that any picture has."""
        alpha = self._images[..., 3]
        return alpha.min(0), alpha.max(0)

    def patch(
        self,
        weights: Sequence[tuple[int, float]],
        bends: Mapping[str, float] | None = None,
        shifts: Sequence[Shift] = (),
    ) -> Image:
        """The face at the weighted mean of pictures: uint8[h, w, 4] RGBA, premultiplied.

        weights: (index of the picture, share), shares summing to 1. bends: amounts of movements
        for which there is no picture; unknown ones are ignored. shifts: movements of which only
        the geometry is wanted. A face that rests is the same array from call to call.
        """
        rounded = tuple((name, round(amount, 3)) for name, amount in (bends or {}).items())
        asked = (tuple(weights), rounded, tuple(shifts))
        last: tuple[object, Image] | None = getattr(self._local, "last", None)
        if last is None or last[0] != asked:
            last = self._local.last = (asked, self._painted(*asked))
        return last[1]

    def _painted(
        self,
        weights: Sequence[tuple[int, float]],
        bends: Sequence[tuple[str, float]],
        shifts: Sequence[Shift],
    ) -> Image:
        if not weights:
            raise ValueError("weights must name at least one picture")
        goal = self._goal(weights, bends, shifts)
        total: Image | None = None
        share = 0.0
        for i, weight in _shown(weights, sharpen=goal is not None):
            image = self._images[i] if goal is None else self._bent(i, goal)
            share += weight
            if total is None:
                total = image
            else:
                part = weight / share
                total = np.asarray(cv2.addWeighted(total, 1 - part, image, part, 0), np.uint8)
        assert total is not None
        return total

    def _goal(
        self,
        weights: Sequence[tuple[int, float]],
        bends: Sequence[tuple[str, float]],
        shifts: Sequence[Shift],
    ) -> Floats | None:
        if self._coefficients is None:
            return None
        goal = np.zeros(self._coefficients.shape[1], np.float32)
        for i, weight in weights:
            goal += np.float32(weight) * self._coefficients[i]
        for name, amount in bends:
            if name in self._bends:
                goal += np.float32(amount) * self._bends[name]
        for towards, away, amount in shifts:
            goal += np.float32(amount) * (self._coefficients[towards] - self._coefficients[away])
        return goal

    def _bent(self, i: int, goal: Floats) -> Image:
        assert self._coefficients is not None
        step = goal - self._coefficients[i]
        flow = (step @ self._fields[i]).reshape(self._still.shape)
        if abs(flow).max() < STILL:
            return np.asarray(self._images[i], np.uint8)
        # The field moves points of picture i to the face wanted; drawing needs the way back. One
        # fixed-point step: where was the point that arrived here?
        back = cv2.remap(
            flow,
            self._still - flow * self._cell,
            NO_MAP,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        maps = self._scratch()
        cv2.resize(back, maps.shape[1::-1], dst=maps, interpolation=cv2.INTER_LINEAR)
        np.subtract(self._pixels, maps, out=maps)
        bent = cv2.remap(
            self._images[i], maps, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(bent, np.uint8)

    def _scratch(self) -> Floats:
        maps: Floats | None = getattr(self._local, "maps", None)
        if maps is None:
            maps = self._local.maps = np.empty_like(self._pixels)
        return maps


def _shown(weights: Sequence[tuple[int, float]], sharpen: bool) -> list[tuple[int, float]]:
    """The few pictures that are really blended, heaviest first.

    sharpen: shares lean towards the nearest picture. The geometry is where it should be whatever
    the shares; what does not move with it (highlights, teeth coming into view) is doubled less.
    What is left out fades to nothing before it goes: nothing pops.
    """
    shares = sorted(((i, w * w if sharpen else w) for i, w in weights), key=lambda share: -share[1])
    left_out = INVISIBLE * sum(w for _, w in shares)
    if len(shares) > MOST_PICTURES:
        left_out = max(left_out, shares[MOST_PICTURES][1])
    kept = [(i, w - left_out) for i, w in shares if w > left_out] or shares[:1]
    total = sum(w for _, w in kept)
    return [(i, w / total) for i, w in kept]


def _places(columns: int, rows: int) -> Floats:
    """float32[rows, columns, 2]: x and y of each cell."""
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).astype(np.float32)


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
