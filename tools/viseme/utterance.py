"""One synthesized sentence with what is known about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from mien.lipsync.viseme.features import HOP, SAMPLE_RATE
from mien.lipsync.viseme.sounds import sounds

Timed = tuple[str, float, float]
"""A phone in IPA ("" is silence) with start and end in seconds."""

UNLABELLED = 255


@dataclass(frozen=True)
class Utterance:
    """audio: int16[n] mono at 16 kHz; phones: None where the synthesizer gives no times."""

    text: str
    audio: NDArray[np.int16]
    phones: tuple[Timed, ...] | None


def at_16k(pcm: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    if rate == SAMPLE_RATE:
        return pcm
    return np.asarray(soxr.resample(pcm, rate, SAMPLE_RATE), np.int16)


def labels(phones: tuple[Timed, ...], frames: int) -> NDArray[np.uint8]:
    """uint8[frames]: the sound at the centre of each 10 ms frame, UNLABELLED where unknown."""
    found = np.full(frames, UNLABELLED, np.uint8)
    per_sec = SAMPLE_RATE / HOP
    for symbol, start, end in phones:
        at = start
        for sound, share in sounds(symbol):
            stop = at + share * (end - start)
            first, last = int(np.ceil(at * per_sec)), int(np.ceil(stop * per_sec))
            found[max(first, 0) : max(last, 0)] = sound
            at = stop
    return found
