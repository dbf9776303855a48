"""The tick: one picture and exactly the sound heard while it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FPS = 25
TICK_SEC = 1 / FPS
SAMPLE_RATE = 48_000
SAMPLES_PER_TICK = SAMPLE_RATE // FPS

Image = NDArray[np.uint8]
Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that becomes true for the audience at a tick (a word begins, a turn ends).

    ``name`` and ``data`` are free for the layers above; the media layer only carries them,
    so that an event can neither overtake the sound it belongs to nor outlive its generation.
    """

    name: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Tick:
    """40 ms of the performance.

    index: number since the start of the performer; media time is ``index * TICK_SEC``.
    image: uint8[H, W, 3] RGB. Never modified after the tick is made.
    cutout: the person without what is behind them, for those who asked for it; uint8[H, W, 4] RGBA,
        straight alpha, or ``image`` where the person cannot be told from what is behind. None
        while nobody asks.
    audio: int16[1920] mono 48 kHz.
    generation: of the conversation when the tick was made; 0 before the first interruption.
    """

    index: int
    image: Image
    audio: Pcm
    generation: int
    events: tuple[Event, ...] = ()
    cutout: Image | None = None
