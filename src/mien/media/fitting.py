"""Pictures made to another size, without distorting anybody."""

from __future__ import annotations

import cv2
import numpy as np

from mien.media.rendition import Fit
from mien.media.tick import Image


def fitted(image: Image, width: int, height: int, fit: Fit) -> Image:
    """uint8[H, W, C] as uint8[height, width, C]; the same array when the size is right.

    "cover" fills the new size and cuts off what does not fit, more below than above: heads are
    above. "contain" shows everything, with black beside it.
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    ratios = width / columns, height / rows
    scale = max(ratios) if fit == "cover" else min(ratios)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    smaller = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(image, size, interpolation=smaller), np.uint8)
    if fit == "cover":
        top, left = (size[1] - height) // 4, (size[0] - width) // 2
        return np.ascontiguousarray(scaled[top : top + height, left : left + width])
    out = np.zeros((height, width, *image.shape[2:]), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = scaled
    return out
