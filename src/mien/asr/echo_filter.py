"""The part of an echo that is a linear function of what is played, learnt while it sounds.

A partitioned-block Kalman filter in the frequency domain (Enzner & Vary 2006, "Frequency-domain
adaptive Kalman filter for acoustic echo control"; Kuech, Mabande & Enzner 2014, "State-space
architecture of the partitioned-block-based acoustic echo controller"). Its step is as long as it
is unsure and as short as the microphone holds other sound, so that nobody has to tell it when
two speak at once.
"""

from __future__ import annotations

import numpy as np

from mien.asr.echo_reference import BINS, HOP, WINDOW, Levels, Spectrum

PARTITIONS = 12  # 120 ms: what a room returns later is 20 dB weaker and left to the suppressor
# How far off the response may be at first: ten times as much makes noise of an echo at -20 dB for
# three seconds, a fifth of it takes as long for one at -6 dB.
_DOUBT = np.float32(0.005)
# By how much the path changes in 10 ms, as a part of it. A quarter of it loses 7 dB when clocks
# drift by 100 ppm; four times as much, 3 dB when they do not.
_CHANGE = np.float32(0.004)


class EchoFilter:
    """120 ms of impulse response."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._weights = np.zeros((PARTITIONS, BINS), np.complex64)
        self._doubt = np.full((PARTITIONS, BINS), _DOUBT, np.float32)
        self._noise = np.full(BINS, 1e-5, np.float32)
        self._turn = 0

    def residual(self, blocks: Levels, played: Spectrum) -> Levels:
        """float32[k, 160] of the microphone, complex64[k, 12, 161] of what was played → the rest.

        The k blocks are learnt from together, as if they were one (k is 1 or 2).
        """
        echo = np.fft.irfft(np.einsum("pf,kpf->kf", self._weights, played))[:, HOP:]
        left = blocks - echo.astype(np.float32)
        padded = np.zeros((len(blocks), WINDOW), np.float32)
        padded[:, HOP:] = left
        self._learn(np.fft.rfft(padded).astype(np.complex64), played)
        return left

    def _learn(self, error: Spectrum, played: Spectrum) -> None:
        power = (played.real**2 + played.imag**2).sum(axis=0)
        heard = (error.real**2 + error.imag**2).mean(axis=0)
        self._noise += 0.5 * (heard - self._noise)
        doubt, weights = self._doubt, self._weights
        gain = doubt / (0.5 * (power * doubt).sum(axis=0) + self._noise + np.float32(1e-6))
        weights += gain * (played.conj() * error[:, None]).sum(axis=0)
        doubt *= 1 - 0.5 * gain * power
        doubt += len(error) * _CHANGE * (weights.real**2 + weights.imag**2)
        # Keeping a partition to 160 taps costs two transforms: they take turns (Valin 2007).
        self._turn = (self._turn + 1) % PARTITIONS
        response = np.fft.irfft(weights[self._turn])
        response[HOP:] = 0
        weights[self._turn] = np.fft.rfft(response)
