"""A source of ticks that a viewer's picture and sound can be compared by: a flash with a beep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.clock import WallClock
from mien.media.program import Program
from mien.media.tick import FPS, SAMPLE_RATE, SAMPLES_PER_TICK, Tick

BEEP_HZ = 1000.0


class FlashBeep:
    """White for one tick a second, with 40 ms of a 1 kHz tone; else a dark picture that moves.

    size: width, height. real_time: False makes ticks as fast as they are taken. The lower left
    corner (16 squares of 8 pixels, most significant first) counts ticks, modulo 65536.
    """

    draw = False
    generation = 0

    def __init__(
        self, size: tuple[int, int] = (320, 240), *, count: int = 1 << 30, real_time: bool = True
    ) -> None:
        self.size = size
        self.count = count
        self.real_time = real_time
        self.emitted: dict[int, float] = {}  # time.monotonic() of recent ticks, by index

    async def __aiter__(self) -> AsyncIterator[Tick]:
        clock = WallClock()
        for index in range(self.count):
            if self.real_time:
                await asyncio.sleep(max(0.0, clock.delay(index)))
            else:
                await asyncio.sleep(0)
            self.emitted[index] = time.monotonic()
            self.emitted.pop(index - 1000, None)
            yield self.tick(index)

    def tick(self, index: int) -> Tick:
        return Tick(index, self.picture(index), sound(index), self.generation)

    def picture(self, index: int) -> NDArray[np.uint8]:
        width, height = self.size
        bright = 255 if flashes(index) else 24
        image = np.full((height, width, 3), bright, np.uint8)
        left = index * 4 % (width - 40)
        image[: height // 3, left : left + 40] = (200, 80, 40)
        for bit in range(16):
            shade = 235 if index >> (15 - bit) & 1 else 16
            image[height - 8 :, 8 * bit : 8 * bit + 8] = shade
        return image


@asynccontextmanager
async def programme(threads: Executor) -> AsyncIterator[Program]:
    """A running program of flashes and beeps."""
    source = FlashBeep()
    program = Program(source, source.size, threads)
    running = asyncio.create_task(program.run())
    try:
        yield program
    finally:
        running.cancel()
        await asyncio.wait([running])


def flashes(index: int) -> bool:
    return index % FPS == 0


def sound(index: int) -> NDArray[np.int16]:
    if not flashes(index):
        return np.zeros(SAMPLES_PER_TICK, np.int16)
    at = np.arange(SAMPLES_PER_TICK) / SAMPLE_RATE
    return (12_000 * np.sin(2 * np.pi * BEEP_HZ * at)).astype(np.int16)


def counted(image: NDArray[np.uint8], size: tuple[int, int] = (320, 240)) -> int:
    """The number a picture carries, after any encoder; of another size it is scaled back."""
    if image.shape[1::-1] != size:
        image = np.asarray(cv2.resize(image, size), np.uint8)
    row = image[-6:-2, :128].astype(int).mean(axis=(0, 2))
    bits = [row[8 * bit + 2 : 8 * bit + 6].mean() > 125 for bit in range(16)]
    return sum(bit << (15 - place) for place, bit in enumerate(bits))
