"""The measuring strip: what a picture says about itself, readable after H.264.

24 black or white cells of 20×20 pixels in the top left corner. From the left: 1, 0 (a check that
this is a strip), flash, speaking, 6 bits ms of the beep within the tick, 8 bits number of the
beep, 6 bits number of the tick; lowest bit first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.media.tick import Image

CELL = 20
CELLS = 24
WIDTH, HEIGHT = CELL * CELLS, CELL
# Only the middle of a cell is read: its edges ring.
_MARGIN = 5
_GREY = 128


@dataclass(frozen=True, slots=True)
class Strip:
    """flash: a beep begins in this tick, ``ms`` after its start. beep: its number, 0…255.

    speaking: the tick belongs to speech. tick: its index modulo 64.
    """

    flash: bool
    speaking: bool
    ms: int
    beep: int
    tick: int


def write_strip(image: Image, strip: Strip) -> None:
    """Draw into uint8[H, W, 3] RGB with W ≥ 480 and H ≥ 20.

    Raises:
        ValueError: when the picture is too small or a number does not fit.
    """
    height, width = image.shape[:2]
    if width < WIDTH or height < HEIGHT:
        raise ValueError(f"a strip needs {WIDTH}×{HEIGHT} pixels, the picture has {width}×{height}")
    bits = [1, 0, int(strip.flash), int(strip.speaking)]
    for value, count in ((strip.ms, 6), (strip.beep, 8), (strip.tick, 6)):
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit in {count} bits")
        bits += [value >> bit & 1 for bit in range(count)]
    cells = np.repeat(np.array(bits, np.uint8) * 255, CELL)
    image[:HEIGHT, :WIDTH] = cells[None, :, None]


def read_strip(luma: Image) -> Strip | None:
    """Read from uint8[H, W] brightness; None when there is no strip."""
    if luma.shape[0] < HEIGHT or luma.shape[1] < WIDTH:
        return None
    cells = luma[:HEIGHT, :WIDTH].reshape(HEIGHT, CELLS, CELL)
    inner = cells[_MARGIN:-_MARGIN, :, _MARGIN:-_MARGIN]
    bits = [int(bit) for bit in inner.mean(axis=(0, 2)) > _GREY]
    if bits[:2] != [1, 0]:
        return None
    ms, beep, tick = (
        sum(bit << place for place, bit in enumerate(bits[begin:end]))
        for begin, end in ((4, 10), (10, 18), (18, 24))
    )
    return Strip(bool(bits[2]), bool(bits[3]), ms, beep, tick)
