"""A programme of one grey wall: whatever else is seen was put there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from mien.label.label import UNLABELLED, Label, label_of
from mien.media.program import Program
from mien.media.subscription import Subscription
from mien.media.tick import Tick
from mien.mind_settings import LabelSection
from ticking import FlashBeep, sound

SIZE = (320, 240)
GREY = 128
Picture = NDArray[np.uint8]


class Wall(FlashBeep):
    """With a cut-out that is all wall, half seen through."""

    cut_out = False

    def tick(self, index: int) -> Tick:
        width, height = self.size
        image = np.full((height, width, 3), GREY, np.uint8)
        cutout = np.full((height, width, 4), GREY, np.uint8) if self.cut_out else None
        return Tick(index, image, sound(index), 0, cutout=cutout)


def labelled(**said: Any) -> Label:
    return label_of(LabelSection.model_validate({"corner": "top-left"} | said), "zh", None)


@asynccontextmanager
async def walls(label: Label = UNLABELLED) -> AsyncIterator[Program]:
    """A running program."""
    with ThreadPoolExecutor(2) as threads:
        program = Program(Wall(SIZE), SIZE, threads, label=label)
        running = asyncio.create_task(program.run())
        try:
            yield program
        finally:
            running.cancel()
            await asyncio.wait([running])


class Screen:
    """Shows what a subscription brings."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._decoder = av.CodecContext.create("h264", "r")
        self._decoder.flags |= av.codec.context.Flags.low_delay

    async def shows(self) -> Picture:
        """The next picture: uint8[H, W, 3] RGB."""
        async with asyncio.timeout(120):
            while True:
                packet = (await self._subscription.get()).packet
                for frame in self._decoder.decode(packet):
                    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)

    async def until(self, badge: bool) -> Picture:
        """The next picture with a badge, or without."""
        async with asyncio.timeout(120):
            while has_badge(picture := await self.shows()) is not badge:
                pass
            return picture


def has_badge(picture: Picture, corner: str = "top-left") -> bool:
    """White letters on a dark plate in this corner of a grey wall; nothing anywhere else."""
    height, width = picture.shape[0] // 5, picture.shape[1] // 2
    rows = slice(None, height) if corner.startswith("top") else slice(-height, None)
    columns = slice(None, width) if corner.endswith("left") else slice(-width, None)
    part = picture[rows, columns].astype(int).copy()
    rest = picture.astype(int)
    rest[rows, columns] = GREY
    assert np.abs(rest - GREY).max() < 24, "something outside the corner"
    return bool(part.min() < GREY - 40 and part.max() > GREY + 50)
