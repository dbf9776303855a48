"""How long it takes until what is played comes back."""

from __future__ import annotations

import numpy as np

from mien.asr.echo_reference import BANDS, RISE, STEEPEST_DB, Levels, Reference

# Frames of 10 ms, of 0…700 ms. Offers of jitter buffers and slow loudspeakers go to 500 ms.
LAGS = 72
# Of 1.5 s and 0.25 s; a shorter memory finds echoes where there are none.
_KEEP = np.exp(-1 / np.array([150, 25], np.float32))[:, None, None]
# dB⁴; keeps the noise of a silent microphone from correlating with anything.
_UNHEARD = np.float32(2000)


class EchoDelay:
    """Correlates how the levels of bands rise and fall within 30 ms, here and there.

    Rises and falls survive what a loudspeaker, a room and an echo canceller do to the sound itself.
    slow, fast: float32[72], correlation at each lag over the last 1.5 s and 0.25 s.
    """

    def __init__(self) -> None:
        self.slow = np.zeros(LAGS, np.float32)
        self.fast = np.zeros(LAGS, np.float32)
        # Rows: sum of products, power of the reference, power of the microphone.
        self._sums = np.zeros((2, 3, LAGS), np.float32)
        self._before = np.zeros((RISE, BANDS), np.float32)

    def update(self, heard: Levels, reference: Reference, frame: int) -> None:
        """heard: float32[k, 20], dB of the microphone from ``frame`` on."""
        count = len(heard)
        known = np.concatenate((self._before, heard))
        self._before = known[count:]
        rise = np.clip(heard - known[:count], -STEEPEST_DB, STEEPEST_DB)
        new = np.zeros((3, LAGS), np.float32)
        for i in range(count):
            rows = reference.rows(frame + i, 0, LAGS)
            new[0] += reference.rises[rows] @ rise[i]
            new[1] += reference.steepness[rows]
        new[2] = np.sum(rise * rise)
        self._sums *= _KEEP**count
        self._sums += new
        self.slow, self.fast = self._sums[:, 0] / np.sqrt(
            self._sums[:, 1] * self._sums[:, 2] + _UNHEARD
        )
