"""How loud speech is: ITU-R BS.1770-4 for one channel.

Loudness is the mean power after the K weighting (a high shelf for the head, a high pass for the
ear), over blocks of 400 ms that overlap by 75 %, leaving out those that are silent.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.media.tick import SAMPLE_RATE

_HOP = SAMPLE_RATE // 10
_HOPS_PER_BLOCK = 4
_OFFSET = -0.691  # LUFS of a full-scale 997 Hz sine is -3.01
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0

# The two biquads of BS.1770-4, tables 1 and 2, at 48 kHz: b0, b1, b2, a1, a2.
_BIQUADS = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585),
    (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621),
)
# The high pass rings below 1e-8 after this time, so that a transform may wrap around behind it.
_RINGING = SAMPLE_RATE // 8

# Half a minute of a voice says how loud it is. What lies further back is forgotten, so that a
# voice that was changed is noticed.
_REMEMBERED_BLOCKS = 300


@lru_cache(maxsize=8)
def _weighting(size: int) -> NDArray[np.complex64]:
    """complex64[size // 2 + 1]: the K weighting at the frequencies of a transform of ``size``."""
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response: NDArray[np.complex128] = np.ones_like(z)
    for b0, b1, b2, a1, a2 in _BIQUADS:
        response *= (b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)
    return response.astype(np.complex64)


def weighted(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """K-weighted sound, float32[n] mono at 48 kHz. Costs 1.5 ms per second of it."""
    size = 1 << (len(sound) + _RINGING - 1).bit_length()  # few sizes, so that they are kept
    spectrum = np.fft.rfft(sound, size).astype(np.complex64)
    return np.fft.irfft(spectrum * _weighting(size), size)[: len(sound)].astype(np.float32)


def block_powers(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[blocks]: mean square of each 400 ms of K-weighted ``sound``, 100 ms apart.

    sound: float32[n] mono at 48 kHz, full scale 1; what is shorter than 400 ms has no block.
    Costs 3 ms per second of it: keep it off the event loop.
    """
    hops = len(sound) // _HOP
    if hops < _HOPS_PER_BLOCK:
        return np.zeros(0)
    squares = np.square(weighted(sound)[: hops * _HOP], dtype=np.float64)
    powers = squares.reshape(hops, _HOP).mean(axis=1)
    return np.convolve(powers, np.full(_HOPS_PER_BLOCK, 1 / _HOPS_PER_BLOCK), "valid")


def loudness_of(powers: NDArray[np.float64]) -> float | None:
    """LUFS of blocks, gated; None when all of them are silent."""
    loud = powers[powers > _power(_ABSOLUTE_GATE)]
    if not len(loud):
        return None
    loud = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return float(10 * np.log10(loud.mean()) + _OFFSET)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET) / 10))


class LoudnessMeter:
    """How loud a voice is, from the last half minute of what it said."""

    def __init__(self, expected: float | None = None, blocks: int = 0) -> None:
        """expected: LUFS it is taken for until it is heard; counts as ``blocks`` of speech."""
        self._expected = expected
        self._powers: deque[float] = deque(maxlen=_REMEMBERED_BLOCKS)
        if expected is not None:
            self._powers.extend([_power(expected)] * blocks)

    @property
    def blocks(self) -> int:
        """How much is known: 100 ms of speech each."""
        return len(self._powers)

    @property
    def loudness(self) -> float | None:
        """LUFS; None before anything was heard or expected."""
        heard = loudness_of(np.array(self._powers)) if self._powers else None
        return self._expected if heard is None else heard

    def hear(self, powers: NDArray[np.float64]) -> None:
        """Learn from ``block_powers`` of what it said."""
        self._powers.extend(powers[powers > _power(_ABSOLUTE_GATE)].tolist())
