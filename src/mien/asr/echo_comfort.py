"""Noise like the room's, where an echo was (comfort noise, RFC 3389): a microphone that falls quite
silent and comes back sounds to a VAD as if somebody began to speak."""

from __future__ import annotations

import numpy as np

from mien.asr.echo_reference import BAND_EDGES, HOP, Levels

_STORED = 64


class ComfortNoise:
    """The same 0.64 s over and over, coloured as asked for."""

    def __init__(self) -> None:
        white = np.random.default_rng(0).standard_normal((_STORED, HOP))
        self._white = np.fft.rfft(white).astype(np.complex64)
        edges = np.array(BAND_EDGES)
        # Bins here are 100 Hz apart, there 50 Hz.
        bins = 2 * np.arange(HOP // 2 + 1)
        self._band = np.clip(np.searchsorted(edges, bins, side="right") - 1, 0, len(edges) - 2)
        self._share = (np.diff(edges) / HOP).astype(np.float32)
        self._turn = 0

    def block(self, noise: Levels) -> Levels:
        """float32[160], as loud as float32[20] dB says of each band."""
        self._turn = (self._turn + 1) % _STORED
        amplitude = np.sqrt(10 ** (noise / 10) / self._share)[self._band]
        return np.fft.irfft(self._white[self._turn] * amplitude, HOP).astype(np.float32)
