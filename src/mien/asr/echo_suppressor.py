"""What the echo filter leaves: whether it is still our own voice, and how much of each band."""

from __future__ import annotations

import numpy as np

from mien.asr.echo_reference import BANDS, Levels

_FIRST_DB, _FIRST_SPREAD_DB = np.float32(-16), np.float32(2.4)
_LEARN = np.float32(0.03)
_NEAR_DB = 30.0
_HOLD = 20  # frames
_ABOVE_NOISE_DB = np.float32(6)


class EchoSuppressor:
    """Learns how loud echoes are against what is played, and lets pass what is louder.

    mean, spread: dB in each band, of what is left against what was played, while only we speak.
    """

    def __init__(self) -> None:
        self.mean = np.full(BANDS, _FIRST_DB, np.float32)
        self.spread = np.full(BANDS, _FIRST_SPREAD_DB, np.float32)
        self.noise = np.full(BANDS, -60, np.float32)
        self._evidence = 0.0
        self._hold = 0

    def update(self, left: Levels, played: Levels, ours: bool) -> Levels | None:
        """dB of each band, left and played → how much of each may pass, 0…1; None for nothing."""
        noise = self.noise
        np.minimum(noise + np.float32(0.02), noise + 0.3 * (left - noise), out=noise)
        expected = played + self.mean
        limit = np.maximum(expected + np.maximum(6, 2.5 * self.spread), noise + _ABOVE_NOISE_DB)
        excess = np.clip(left - limit, 0, 15)
        self._evidence = 0.6 * self._evidence + (0.0 if ours else float(excess.sum()))
        near = self._evidence > _NEAR_DB
        self._learn(left, played, 0.1 if near else 1.0)
        self._hold = _HOLD if near else max(self._hold - 1, 0)
        if ours or not self._hold:
            return None
        echo = 10 ** ((np.minimum(expected + 3 - left, 20)) / 10)
        return np.sqrt(np.maximum(1 - echo, 1e-3)).astype(np.float32)

    def _learn(self, left: Levels, played: Levels, speed: float) -> None:
        off = left - played - self.mean
        known = (played > -60) & ((left > self.noise + 4) | (off < 0))
        step = np.where(known, _LEARN * np.float32(speed), np.float32(0))
        self.mean += step * off
        self.spread += step * (np.abs(off) - self.spread)
        np.maximum(self.spread, 2, out=self.spread)
