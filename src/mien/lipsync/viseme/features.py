"""Sound → log-mel frames, one per 10 ms, each from the samples around it and nothing else.

There is no scaling by a whole utterance, which a stream never has: the net is trained on every
level instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
HOP = 160
"""Samples from frame to frame. Frame ``t`` is centred on sample ``t * HOP``."""
BANDS = 40
HALF = 200
"""Samples a frame sees on either side of its centre (a 25 ms window)."""

_FFT = 512
_LOW_HZ, _HIGH_HZ = 60.0, 7600.0
# Power of about -76 dB of full scale per band. What is fainter is noise of the recording, and
# digital silence must not be infinitely far below it.
_FLOOR = np.float32(1e-5)


def _filters() -> NDArray[np.float32]:
    def mel(hz: float) -> float:
        return float(2595 * np.log10(1 + hz / 700))

    edges = 700 * (10 ** (np.linspace(mel(_LOW_HZ), mel(_HIGH_HZ), BANDS + 2) / 2595) - 1)
    hz = np.linspace(0, SAMPLE_RATE / 2, _FFT // 2 + 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hz - low) / (centre - low), (high - hz) / (high - centre)
    return np.clip(np.minimum(rising, falling), 0, None).T.astype(np.float32)


# Frames multiplied at a time. A larger product wakes the threads of OpenBLAS, which then turn
# idly for 20 ms: more CPU time than all of a voice's frames take in a second.
_BLOCK = 16

_FILTERS = _filters()
_WINDOW = np.hanning(2 * HALF).astype(np.float32)


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[t, BANDS], natural logarithms, of float32[n] audio in -1…1 at 16 kHz.

    The first frame is centred on sample ``HALF``; there are as many as fit whole.
    """
    count = (len(audio) - 2 * HALF) // HOP + 1
    if count <= 0:
        return np.zeros((0, BANDS), np.float32)
    audio = np.ascontiguousarray(audio, np.float32)
    # A view; sliding_window_view makes the same in ten times the time, which ticks would feel.
    frames = np.ndarray((count, 2 * HALF), np.float32, audio, strides=(4 * HOP, 4))
    spectrum = np.fft.rfft(frames * _WINDOW, _FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    bands = [power[first : first + _BLOCK] @ _FILTERS for first in range(0, count, _BLOCK)]
    return np.asarray(np.log(np.concatenate(bands) + _FLOOR), np.float32)
