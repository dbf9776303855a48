"""A painted mouth goes into the picture it was painted for, so that no patch is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.clip.colour import GRID as COMPARED
from mien.avatar.clip.colour import colour_gain, with_gain
from mien.avatar.clip.mask import GRID, edge_fade
from mien.avatar.framing import Rect
from mien.media.tick import Image

Floats = NDArray[np.float32]
Place = tuple[float, float, float, float]

WHOLE: Place = (0.0, 0.0, 1.0, 1.0)
# A patch shown smaller than it is painted is shrunk by a filter; below this share of its size
# bilinear or cubic sampling would skip pixels.
SHRUNK = 0.8
SHARPEST = 0.8  # of the detail that enlarging took, with sharpening 1
DETAIL = 0.9  # pixels of the patch: the width of what is sharpened


@dataclass(frozen=True, slots=True)
class Spot:
    """A patch's rectangle in the picture: left, top, width, height, between pixels too."""

    left: float
    top: float
    width: float
    height: float

    def part(self, place: Place) -> Spot:
        """``place``: left, top, width, height as shares."""
        left, top, width, height = place
        return Spot(
            self.left + left * self.width,
            self.top + top * self.height,
            width * self.width,
            height * self.height,
        )

    @property
    def pixels(self) -> Rect:
        """All pixels it touches."""
        left, top = math.floor(self.left), math.floor(self.top)
        right, bottom = math.ceil(self.left + self.width), math.ceil(self.top + self.height)
        return Rect(left, top, right - left, bottom - top)

    @property
    def whole(self) -> Rect:
        """The nearest whole pixels."""
        left, top = round(self.left), round(self.top)
        return Rect(
            left, top, round(self.left + self.width) - left, round(self.top + self.height) - top
        )


def spot_of(box: Floats) -> Spot:
    """box: float32[4] left, top, right, bottom."""
    left, top, right, bottom = (float(v) for v in box)
    return Spot(left, top, right - left, bottom - top)


def paste_soft(
    picture: Image,
    patch: Image,
    box: Floats,
    mask: NDArray[np.uint8],
    place: Place = WHOLE,
    weight: float = 1.0,
    sharpen: float = 0.0,
    gain: Floats | None = None,
    grain: NDArray[np.int16] | None = None,
) -> None:
    """Lay ``patch`` into ``picture``; changes it, and only where the mask is not 0.

    picture: uint8[H, W, 3]; patch: uint8[h, w, 3] of ``place`` (see ``Mouth.place``) of the face's
    ``box`` (float32[4] left, top, right, bottom; pixels of the picture). mask: uint8[64, 64] over
    the box, see ``mask.masks``. weight: 0 the picture as it is … 1. sharpen: 0 … 1, of what the
    patch loses by being enlarged. gain: of ``rim_gain`` where it is known already. grain:
    int16[≥ box, ≥ box, 3] to add, see ``grain``.
    """
    face = spot_of(box)
    spot = face.part(place)
    alpha = mask.astype(np.float32) * np.float32(weight / 255)
    if place != WHOLE:
        alpha *= edge_fade(place)
    seen = _seen(alpha, face, spot).within(Rect(0, 0, picture.shape[1], picture.shape[0]))
    if seen.width < 1 or seen.height < 1:
        return
    if spot.width < SHRUNK * patch.shape[1]:
        size = max(1, round(spot.width)), max(1, round(spot.height))
        patch = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), np.uint8)
    if gain is None:
        gain = rim_gain(picture, patch, box, mask, place)
    toned = patch.astype(np.float32) if gain is None else with_gain(patch, gain)
    scale = spot.width / patch.shape[1]
    sharp = _sharpened(toned, sharpen, scale)
    laid = _grained(_laid(_enlarged(sharp, scale), spot, seen), grain)
    _blend(picture, laid, _laid(alpha, face, seen), seen)


def lay_over(
    picture: Image,
    other: Image,
    box: Floats,
    mask: NDArray[np.uint8],
    weight: float,
    grain: NDArray[np.int16] | None = None,
) -> None:
    """Another version of the whole ``picture`` shows through the mask; changes ``picture``."""
    share, seen = mask_over(mask, box, (picture.shape[1], picture.shape[0]))
    if share.size:
        part = _grained(other[seen.slices], grain)
        _blend(picture, part, share * np.float32(weight), seen)


def rim_gain(
    picture: Image, patch: Image, box: Floats, mask: NDArray[np.uint8], place: Place = WHOLE
) -> Floats | None:
    """What ``paste_soft`` multiplies the patch by; see ``colour.colour_gain``."""
    rect = spot_of(box).part(place).whole
    seen = rect.within(Rect(0, 0, picture.shape[1], picture.shape[0]))
    if seen.width < 1 or seen.height < 1:
        return None
    around = picture[seen.slices]
    if seen != rect:
        beyond = (
            seen.top - rect.top,
            rect.bottom - seen.bottom,
            seen.left - rect.left,
            rect.right - seen.right,
        )
        around = np.asarray(cv2.copyMakeBorder(around, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    return colour_gain(around, patch, _over(mask, place))


def mask_over(mask: NDArray[np.uint8], box: Floats, size: tuple[int, int]) -> tuple[Floats, Rect]:
    """float32[h, w], 0 … 1, how much of a patch shows in the pixels of the rectangle that comes
    with it. size: width, height of the picture."""
    face = spot_of(box)
    alpha = mask.astype(np.float32) / np.float32(255)
    seen = _seen(alpha, face, face).within(Rect(0, 0, *size))
    if seen.width < 1 or seen.height < 1:
        return np.zeros((0, 0), np.float32), Rect(0, 0, 0, 0)
    return np.asarray(_laid(alpha, face, seen), np.float32), seen


def paste_published(
    picture: Image, patch: Image, box: Floats, place: Place = WHOLE, weight: float = 1.0
) -> None:
    """The hard rectangle of the original code, to compare with; changes ``picture``.

    patch: uint8[h, w, 3], resized bilinearly to whole pixels and written over the picture.
    """
    rect = spot_of(box).part(place).whole
    size = max(1, rect.width), max(1, rect.height)
    large = cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR)
    seen = rect.within(Rect(0, 0, picture.shape[1], picture.shape[0]))
    part = large[seen.seen_from(rect).slices]
    target = picture[seen.slices]
    target[...] = part if weight == 1 else cv2.addWeighted(part, weight, target, 1 - weight, 0)


def _seen(alpha: Floats, face: Spot, spot: Spot) -> Rect:
    """The pixels that anything of the patch shows in."""
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    if not len(rows):
        return Rect(0, 0, 0, 0)
    # Enlarging spreads a cell over half of each neighbour.
    first, last = (columns[0] - 0.5) / GRID, (columns[-1] + 1.5) / GRID
    top, bottom = (rows[0] - 0.5) / GRID, (rows[-1] + 1.5) / GRID
    return face.part((first, top, last - first, bottom - top)).pixels.within(spot.pixels)


def _over(mask: NDArray[np.uint8], place: Place) -> Floats:
    """float32[32, 32], 0 … 1: the part ``place`` of a mask over the face's box."""
    left, top, width, height = place
    x, y = width * GRID / COMPARED, height * GRID / COMPARED
    to_mask = np.array(
        [[x, 0, left * GRID + x / 2 - 0.5], [0, y, top * GRID + y / 2 - 0.5]], np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(mask, to_mask, (COMPARED, COMPARED), flags=flags)
    return np.asarray(part, np.float32) / np.float32(255)


def _blend(picture: Image, part: Image, share: Floats, seen: Rect) -> None:
    target = picture[seen.slices]
    target[...] = cv2.blendLinear(part, target, share, 1 - share)


def _sharpened(patch: Floats, sharpen: float, enlarged: float) -> Image:
    """uint8[h, w, 3]. enlarged: how much larger the patch is shown than it is painted."""
    amount = sharpen * SHARPEST * min(1.0, max(0.0, enlarged - 1))
    if amount > 0:
        soft = cv2.GaussianBlur(patch, (0, 0), DETAIL, borderType=cv2.BORDER_REPLICATE)
        patch = patch + np.float32(amount) * (patch - soft)
    return np.asarray(np.clip(patch + 0.5, 0, 255), np.uint8)


def _grained(part: Image, grain: NDArray[np.int16] | None) -> Image:
    if grain is None:
        return part
    height, width = part.shape[:2]
    return np.asarray(cv2.add(part, grain[:height, :width], dtype=cv2.CV_8U), np.uint8)


def _enlarged(image: Image, scale: float) -> Image:
    """At least ``scale`` times as large by a smooth curve, for ``_laid`` to put in place: a third
    of the time that OpenCV's cubic warp takes."""
    times = math.ceil(scale - 0.05)
    if times < 2:
        return image
    size = image.shape[1] * times, image.shape[0] * times
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _laid(image: Floats | Image, spot: Spot, seen: Rect) -> Any:
    """``image`` stretched over ``spot``, as the pixels ``seen`` show it; its borders go on."""
    x, y = image.shape[1] / spot.width, image.shape[0] / spot.height
    to_image = np.array(
        [
            [x, 0, (seen.left + 0.5 - spot.left) * x - 0.5],
            [0, y, (seen.top + 0.5 - spot.top) * y - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    edge = cv2.BORDER_REPLICATE
    size = (seen.width, seen.height)
    return cv2.warpAffine(image, to_image, size, flags=flags, borderMode=edge)
