"""Pictures at another scale, sharp and exactly in place.

Figure, mouths and eyes are scaled apart and painted over each other later, so all must lie on one
grid of output pixels, wherever their boxes are: ``cv2.resize`` cannot start between two pixels.
Done once, at load.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.framing import Rect, View
from mien.media.tick import Image

Floats = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]

CRISP = 0.1


def resampled(image: Image, origin: tuple[float, float], view: View, out: Rect) -> Image:
    """What a picture showing ``view`` has in the rectangle ``out`` of ``image``.

    image: uint8[h, w, c]; origin: where its left top corner lies on the canvas. Beyond its
    borders it goes on as it is there.
    """
    x = (out.left + np.arange(out.width) + 0.5) / view.scale + view.left - origin[0]
    y = (out.top + np.arange(out.height) + 0.5) / view.scale + view.top - origin[1]
    if view.scale == 1 and not (x[0] - 0.5) % 1 and not (y[0] - 0.5) % 1:
        rows = np.clip((y - 0.5).astype(int), 0, image.shape[0] - 1)
        columns = np.clip((x - 0.5).astype(int), 0, image.shape[1] - 1)
        return np.ascontiguousarray(image[np.ix_(rows, columns)])
    rows_done = _scaled(image.astype(np.float32), *taps(y, image.shape[0], view.scale))
    columns = np.ascontiguousarray(rows_done.transpose(1, 0, 2))
    done = _scaled(columns, *taps(x, image.shape[1], view.scale))
    rounded = np.clip(np.round(done), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(1, 0, 2))


def crisp(image: Image) -> Image:
    """uint8[h, w, 4] RGBA, premultiplied, made up for being bent later.

    Bending takes the nearest four pixels, which between two of them halves the finest detail: a
    head that moves looked softer than one at rest. Sharpened by ``CRISP`` beforehand it is, on
    the average, as sharp as it was; by twice that, edges get rims.
    """
    kernel = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32) * CRISP
    kernel[1, 1] += 1
    out = np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
    return np.minimum(out, out[..., 3:])


def taps(at: Reals, count: int, scale: float) -> tuple[NDArray[np.intp], Floats]:
    """Which of ``count`` pixels make a pixel at ``at``, and their shares: [taps, len(at)] each.

    Catmull-Rom: sharp where the picture grows; widened to the output's pixels where it shrinks, so
    that nothing is skipped. The pixels at the ends stand for all beyond them.
    """
    wide = max(1.0, 1 / scale)
    reach = int(np.ceil(2 * wide))
    first = np.floor(at - 0.5).astype(np.intp) - reach + 1
    pixels = first[None] + np.arange(2 * reach)[:, None]
    shares = _catmull_rom((pixels + 0.5 - at[None]) / wide)
    shares = shares / shares.sum(0)
    return np.clip(pixels, 0, count - 1), shares.astype(np.float32)


def _scaled(values: Floats, pixels: NDArray[np.intp], shares: Floats) -> Floats:
    """Along the first axis: float32[n, ...] → float32[len(at), ...]."""
    out = np.zeros((pixels.shape[1], *values.shape[1:]), np.float32)
    for which, share in zip(pixels, shares, strict=True):
        out += values[which] * share.reshape(-1, *[1] * (values.ndim - 1))
    return out


def _catmull_rom(x: Reals) -> Reals:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def placed(image: Image, view: View, size: tuple[int, int]) -> Image:
    """What a picture of ``size`` (width, height) showing ``view`` has of the canvas ``image``.

    image: uint8[h, w, c]. Beyond its borders it is mirrored: a border drawn out shows as streaks.
    """
    scale = 1 / view.scale
    shift = 0.5 * scale - 0.5
    place = np.array([[scale, 0, view.left + shift], [0, scale, view.top + shift]])
    if scale > 1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 * scale), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    edge = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.warpAffine(image, place, size, flags=flags, borderMode=edge), np.uint8)


def premultiplied(image: Image) -> Image:
    """uint8[..., 4] RGBA of straight alpha → premultiplied: what clear pixels hide cannot bleed."""
    alpha = image[..., 3:].astype(np.uint16)
    out = image.copy()
    out[..., :3] = (image[..., :3] * alpha + 127) // 255
    return out
