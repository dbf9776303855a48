"""A decoded picture as it is meant to be seen: turned, with square pixels, in 8-bit sRGB."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorTrc, Interpolation
from av.video.stream import VideoStream

from mien.avatar.clip.hdr import HLG, PQ, Hdr
from mien.media.tick import Image

LONGEST_SIDE = 1920
SMALLEST_SIDE = 64
MOST_PIXELS = 50_000_000  # of a stored picture: an 8K one has 33 million
HIGH_DEFINITION = 576  # lines from which a picture that does not say so is BT.709, not BT.601

CURVES = {int(ColorTrc.SMPTE2084): PQ, int(ColorTrc.ARIB_STD_B67): HLG}


@dataclass(frozen=True)
class Upright:
    """What is done to every picture of one clip.

    size: width, height of the result. stored_size: of the decoded picture. turn: the four
    whole-numbered parts (a, b, c, d) of the display matrix, x' = a·x + c·y and y' = b·x + d·y.
    """

    size: tuple[int, int]
    stored_size: tuple[int, int]
    turn: tuple[int, int, int, int]
    hdr: Hdr | None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, frame: av.VideoFrame, stream: VideoStream) -> Upright:
        """From the first picture. Raises ValueError for an impossible size."""
        if frame.width * frame.height > MOST_PIXELS:
            raise ValueError(f"a picture of {frame.width}×{frame.height}")
        ratio = stream.sample_aspect_ratio or Fraction(1)
        if not Fraction(1, 4) <= ratio <= 4:
            ratio = Fraction(1)
        # Enlarged on one axis, never made smaller: no detail is lost to odd pixels.
        width, height = (
            frame.width * max(ratio, Fraction(1)),
            frame.height / min(ratio, Fraction(1)),
        )
        turn = _turn(frame)
        if turn[0] == 0:
            width, height = height, width
        share = min(Fraction(1), LONGEST_SIDE / max(width, height))
        size = (_even(width * share), _even(height * share))
        if min(size) < SMALLEST_SIDE:
            raise ValueError(f"a picture of {size[0]}×{size[1]}")
        hdr = CURVES.get(int(frame.color_trc))
        notes = ["scaled"] if share < 1 else []
        notes += ["hdr"] if hdr else []
        notes += ["interlaced"] if frame.interlaced_frame else []
        return cls(size, (frame.width, frame.height), turn, Hdr(hdr) if hdr else None, notes)

    def picture(self, frame: av.VideoFrame) -> Image:
        """uint8[H, W, 3] RGB, newly made."""
        width, height = self.size if self.turn[0] else self.size[::-1]
        # One column or row less is cut off, not squeezed in: that would soften everything.
        if width + 1 == frame.width:
            width += 1
        if height + 1 == frame.height:
            height += 1
        smaller = width < frame.width
        rgb = frame.reformat(
            width,
            height,
            format="rgb48le" if self.hdr else "rgb24",
            src_colorspace=_matrix(frame),
            interpolation=(Interpolation.AREA if smaller else Interpolation.BICUBIC)
            | Interpolation.ACCURATE_RND
            | Interpolation.FULL_CHR_H_INT,
            threads=1,
        ).to_ndarray()
        picture = (
            self.hdr.to_sdr(np.asarray(rgb, np.uint16)) if self.hdr else np.asarray(rgb, np.uint8)
        )
        picture = _turned(picture, self.turn)
        width, height = self.size
        return np.ascontiguousarray(picture[:height, :width])


def _even(length: Fraction) -> int:
    return int(length) // 2 * 2


def _matrix(frame: av.VideoFrame) -> int | None:
    """The YUV matrix where the file does not say: FFmpeg takes BT.601 for everything, players
    take BT.709 for high definition."""
    if frame.colorspace in (0, 2):
        return 1 if frame.height > HIGH_DEFINITION or frame.width >= 1280 else 5
    return None


def _turn(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """The display matrix in steps of 90°; 3×3 fixed-point numbers, of which four turn and flip."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return (1, 0, 0, 1)
    numbers = np.frombuffer(bytes(data), np.int32)
    a, b, c, d = (int(numbers[i]) for i in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (1 if a >= 0 else -1, 0, 0, 1 if d >= 0 else -1)
    return (0, 1 if b >= 0 else -1, 1 if c >= 0 else -1, 0)


def _turned(picture: Image, turn: tuple[int, int, int, int]) -> Image:
    a, b, c, d = turn
    if a == 0:  # x' = c·y, y' = b·x
        picture = np.asarray(cv2.transpose(picture), np.uint8)
        a, d = c, b
    if a < 0 and d < 0:
        return np.asarray(cv2.flip(picture, -1), np.uint8)
    if a < 0:
        return np.asarray(cv2.flip(picture, 1), np.uint8)
    if d < 0:
        return np.asarray(cv2.flip(picture, 0), np.uint8)
    return picture
