"""How long it takes until what is played comes back."""

from __future__ import annotations

import numpy as np

from mien.asr.echo_reference import BANDS, RISE, STEEPEST_DB, Levels, Reference

# Frames of 10 ms, of 0…700 ms. Offers of jitter buffers and slow loudspeakers go to 500 ms.
LAGS = 72
_SLOW, _FAST = np.float32(np.exp(-1 / 150)), np.float32(np.exp(-1 / 25))


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
        self._keep = np.array([_SLOW, _FAST])[:, None, None]
        self._before = np.zeros((RISE, BANDS), np.float32)
        self._new = np.zeros((3, LAGS), np.float32)

    def update(self, heard: Levels, reference: Reference, frame: int) -> None:
        """heard: float32[20] dB of the microphone at ``frame``."""
        at = frame % RISE
        rise = np.clip(heard - self._before[at], -STEEPEST_DB, STEEPEST_DB)
        self._before[at] = heard
        rises = reference.rises[reference.rows(frame, 0, LAGS)]
        np.matmul(rises, rise, out=self._new[0])
        np.einsum("ij,ij->i", rises, rises, out=self._new[1])
        self._new[2] = rise @ rise
        self._sums *= self._keep
        self._sums += self._new
        found = self._sums[:, 0] / np.sqrt(self._sums[:, 1] * self._sums[:, 2] + 2000)
        self.slow, self.fast = found
