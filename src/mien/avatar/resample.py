"""Pictures at another scale, sharp and exactly in place.

Figure, mouths and eyes are scaled apart and painted over each other later, so all must lie on one
grid of output pixels, wherever their boxes are: ``cv2.resize`` cannot start between two pixels.
Done once, at load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.avatar.framing import Rect, View
from mien.media.tick import Image

Floats = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]


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
    down, across = weights(y, image.shape[0], view.scale), weights(x, image.shape[1], view.scale)
    height, width, channels = image.shape
    rows_done = down @ image.reshape(height, width * channels).astype(np.float32)
    planes = rows_done.reshape(out.height, width, channels).transpose(0, 2, 1)
    done = (planes @ across.T).transpose(0, 2, 1)
    return np.ascontiguousarray(np.clip(np.round(done), 0, 255).astype(np.uint8))


def weights(at: Reals, count: int, scale: float) -> Floats:
    """float32[len(at), count]: the share of each of ``count`` pixels in a pixel at ``at``.

    Catmull-Rom: sharp where the picture grows; widened to the output's pixels where it shrinks, so
    that nothing is skipped. The pixels at the ends stand for all beyond them.
    """
    wide = max(1.0, 1 / scale)
    reach = int(np.ceil(2 * wide))
    first = np.floor(at - 0.5).astype(int) - reach
    taps = first[:, None] + np.arange(2 * reach + 2)[None]
    shares = _catmull_rom((taps + 0.5 - at[:, None]) / wide)
    shares /= shares.sum(1, keepdims=True)
    out = np.zeros((len(at), count), np.float32)
    rows = np.broadcast_to(np.arange(len(at))[:, None], taps.shape)
    np.add.at(out, (rows, np.clip(taps, 0, count - 1)), shares.astype(np.float32))
    return out


def _catmull_rom(x: Reals) -> Reals:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def premultiplied(image: Image) -> Image:
    """uint8[..., 4] RGBA of straight alpha → premultiplied: what clear pixels hide cannot bleed."""
    alpha = image[..., 3:].astype(np.uint16)
    out = image.copy()
    out[..., :3] = (image[..., :3] * alpha + 127) // 255
    return out
