"""Kaldi's log-mel filter bank as sherpa-onnx computes it: 80 bands, 25 ms windows every 10 ms.

After kaldi's ``feature-fbank.h`` and ``mel-computations.h`` (Povey window, pre-emphasis 0.97, DC
removed, power spectrum of 512 points, 20…7600 Hz) with ``snip_edges`` off and samples in -1…1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BANDS = 80
_HOP, _WINDOW, _SIZE, _RATE = 160, 400, 512, 16_000
_FLOOR = float(np.finfo(np.float32).eps)
_POVEY = ((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / (_WINDOW - 1))) ** 0.85).astype(
    np.float32
)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127 * np.log1p(hz / 700)


def _bank() -> NDArray[np.float32]:
    low, high = _mel(np.array([20.0, 7600.0]))
    edges = low + (high - low) / (BANDS + 1) * np.arange(BANDS + 2)
    mel = _mel(np.arange(_SIZE // 2) * _RATE / _SIZE)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mel - left) / (centre - left), (right - mel) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


_BANK = _bank()


def fbank(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n] in -1…1 at 16 kHz → float32[t, BANDS]; frames that need sound after the end are
    left out, as they are in a stream."""
    first = _WINDOW // 2 - _HOP // 2
    audio = np.concatenate([audio[:first][::-1], audio])
    count = (len(audio) - _WINDOW) // _HOP + 1
    frames = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[: count * _HOP : _HOP]
    frames = frames - frames.mean(1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    frames = (frames - 0.97 * before) * _POVEY
    power = np.abs(np.fft.rfft(frames, _SIZE)[:, :-1]) ** 2
    return np.log(np.maximum(power.astype(np.float32) @ _BANK, _FLOOR))
