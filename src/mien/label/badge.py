"""The label one sees: small words in a corner of the picture, on a plate that keeps them legible.

GB 45438-2025, 5.4: a text that names AI and says that it generated or synthesised, as high as 5 %
of the picture's shorter side, at least for the first two seconds of a video. Ours stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Image

Words = Literal["zh", "en", "both"]
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]

MASKS = Path(__file__).parent.parent / "assets/label"

# White letters on this are read on a white wall (contrast 4:1, at the default opacity) and at
# night; a lighter plate is too little for the wall, a black one is a hole in the picture.
PLATE = 0.8
PLATE_GREY = 16.0
# As shares of the text's height: the plate around it, and to the edge of the picture.
PADDING, MARGIN = 0.3, 0.5
# A badge never takes more of the width, whatever its height should be.
WIDEST = 0.9

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Badge:
    """What is drawn. size: the text's height as a share of the picture's shorter side. opacity:
    of text and plate, 0…1."""

    words: Words
    corner: Corner = "top-left"
    size: float = 0.05
    opacity: float = 0.75

    def on(self, image: Image, fresh: bool = False) -> Image:
        """uint8[H, W, 3] RGB with the badge. fresh: draw into ``image`` itself, not into a copy."""
        out = image if fresh else image.copy()
        height, width = out.shape[:2]
        _patch(self, width, height).lay_over(out)
        return out

    def on_halves(self, image: Image) -> Image:
        """The same for a cut-out as ``side_by_side`` has it, uint8[H, 2 * W, 3], drawn into it."""
        height, width = image.shape[0], image.shape[1] // 2
        colours, alpha = image[:, :width], image[:, width:]
        _patch(self, width, height).join(colours, alpha)
        return image

    def on_figure(self, cutout: Image) -> Image:
        """The same for a cut-out, uint8[H, W, 4] RGBA, straight alpha; a new one."""
        out = cutout.copy()
        height, width = out.shape[:2]
        colours, alpha = out[..., :3], out[..., 3:]
        _patch(self, width, height).join(colours, alpha)
        return out


@dataclass(frozen=True, slots=True)
class _Patch:
    """The badge of pictures of one size.

    colours: uint8[h, w, 3] RGB, premultiplied. keeps: uint8[h, w, 3], how much of the picture
    stays. left, top, w and h are even: no pixel of coarser colour lies half under it.
    """

    left: int
    top: int
    colours: Image
    keeps: Image

    def _part(self, image: Image) -> Image:
        height, width = self.keeps.shape[:2]
        return image[self.top : self.top + height, self.left : self.left + width]

    def lay_over(self, image: Image) -> None:
        part = self._part(image)
        kept = cv2.multiply(part, self.keeps, scale=1 / 255)
        cv2.add(kept, self.colours, dst=kept)
        part[:] = kept

    def join(self, colours: Image, alpha: Image) -> None:
        """Over straight colours, uint8[H, W, 3], and their alpha, uint8[H, W, 1 or 3]."""
        colours, alpha = self._part(colours), self._part(alpha)
        keeps = self.keeps[..., :1].astype(np.float32) / 255
        behind = alpha[..., :1] * keeps
        joined = 255 - 255 * keeps + behind
        mixed = (self.colours * np.float32(255) + colours * behind) / np.maximum(joined, 1)
        colours[:] = np.where(joined < 1, colours, np.clip(mixed + 0.5, 0, 255))
        alpha[:] = joined + 0.5


@lru_cache(maxsize=32)
def _patch(badge: Badge, width: int, height: int) -> _Patch:
    text = _sized(_mask(badge.words), width, height, badge.size)
    padding = max(2, round(PADDING * len(text)))
    rows, columns = (side + 2 * padding for side in text.shape)
    rows, columns = rows + rows % 2, columns + columns % 2
    letters = np.zeros((rows, columns), np.float32)
    letters[padding : padding + text.shape[0], padding : padding + text.shape[1]] = text
    plate = PLATE * _rounded(rows, columns, min(rows // 3, 2 * padding))
    alpha = (letters + plate * (1 - letters)) * badge.opacity
    light = (255 * letters + PLATE_GREY * plate * (1 - letters)) * badge.opacity
    margin = round(MARGIN * len(text)) // 2 * 2
    top_or_bottom, side = badge.corner.split("-")
    left = margin if side == "left" else width - margin - columns
    top = margin if top_or_bottom == "top" else height - margin - rows
    return _Patch(
        max(0, left) // 2 * 2,
        max(0, top) // 2 * 2,
        _grey(light),
        _grey(255 - 255 * alpha),
    )


def _sized(mask: Image, width: int, height: int, size: float) -> Floats:
    """The text as high as it should be, and no wider than there is room for; float32, 0…1."""
    rows = max(4.0, np.ceil(size * min(width, height)))
    # Both sides' margins and paddings, in heights of the text.
    frame = 2 * (PADDING + MARGIN)
    widest = WIDEST * width / (mask.shape[1] / mask.shape[0] + frame)
    rows = max(4, int(min(rows, widest, height / (1 + frame))))
    columns = max(4, round(mask.shape[1] * rows / mask.shape[0]))
    how = cv2.INTER_AREA if rows < mask.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (columns, rows), interpolation=how) / 255, np.float32)


def _rounded(rows: int, columns: int, radius: int) -> Floats:
    """A plate with round corners, float32, 0…1."""
    fine = 4
    plate = np.zeros((rows * fine, columns * fine), np.uint8)
    r, right, bottom = radius * fine, columns * fine - 1, rows * fine - 1
    cv2.rectangle(plate, (r, 0), (right - r, bottom), 255, -1)
    cv2.rectangle(plate, (0, r), (right, bottom - r), 255, -1)
    for x in (r, right - r):
        for y in (r, bottom - r):
            cv2.circle(plate, (x, y), r, 255, -1)
    small = cv2.resize(plate, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def _grey(values: Floats) -> Image:
    """0…255 in three equal channels."""
    channel = np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
    return np.repeat(channel[..., None], 3, axis=2)


@cache
def _mask(words: Words) -> Image:
    """uint8[h, w]: how much of a pixel is text."""
    data = np.frombuffer((MASKS / f"{words}.png").read_bytes(), np.uint8)
    mask = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert mask is not None, "the package is incomplete"
    return np.asarray(mask, np.uint8)
