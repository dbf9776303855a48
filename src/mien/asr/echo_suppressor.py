"""Whether what the echo filter leaves is still our own voice."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mien.asr.echo_reference import BANDS, Levels

# Before anything is known, what comes 10 dB weaker than it was played, or less, is ours.
_FIRST_DB, _FIRST_SPREAD_DB = np.float32(-16), np.float32(2.4)
_LEARN = np.float32(0.03)
_NEAR_DB, _STILL_NEAR_DB = 30.0, 10.0
_KEEP = np.float32(0.7)
_HOLD, _SURE = 20, 100  # frames
_ABOVE_NOISE_DB = np.float32(6)


@dataclass
class Coupling:
    """How loud sound is that was played, in each band, against what was played.

    mean, spread: dB; float32[20].
    """

    mean: Levels = field(default_factory=lambda: np.full(BANDS, _FIRST_DB, np.float32))
    spread: Levels = field(default_factory=lambda: np.full(BANDS, _FIRST_SPREAD_DB, np.float32))

    def limit(self, played: Levels) -> Levels:
        """dB that an echo of ``played`` hardly ever exceeds."""
        found: Levels = played + self.mean + np.maximum(6, 2.5 * self.spread)
        return found

    def learn(self, sound: Levels, played: Levels, noise: Levels, speed: float) -> None:
        """``sound`` is an echo of ``played``, where it is not ``noise``."""
        off = sound - played - self.mean
        known = (played > -60) & ((sound > noise + 4) | (off < 0))
        step = np.where(known, _LEARN * np.float32(speed), np.float32(0))
        self.mean += step * off
        self.spread += step * (np.abs(off) - self.spread)
        np.maximum(self.spread, 2, out=self.spread)

    def copy(self) -> Coupling:
        return Coupling(self.mean.copy(), self.spread.copy())


class EchoSuppressor:
    """Learns how loud echoes are against what is played, and lets pass what is louder."""

    def __init__(self) -> None:
        self.heard = Coupling()
        self.left = Coupling()
        self.noise = np.full(BANDS, -60, np.float32)
        self._evidence = 0.0
        self._elsewhere = np.zeros(1, np.float32)
        self._hold = self._sure = 0

    def moved(self) -> None:
        """The filter has to begin anew."""
        self.left = self.heard.copy()

    def passes(
        self, heard: Levels, left: Levels, played: Levels, anywhere: Levels, ours: bool
    ) -> bool:
        """Whether somebody else speaks too.

        heard, left: dB of the microphone before and after the filter; float32[20].
        played: dB of what was played, as far back as the echo's delay is.
        anywhere: the same for every delay there could be; float32[n, 20].
        ours: known to be nobody else.
        """
        noise = self.noise
        np.minimum(noise + np.float32(0.02), noise + 0.3 * (left - noise), out=noise)
        quiet = noise + _ABOVE_NOISE_DB
        excess = np.clip(left - np.maximum(self.left.limit(played), quiet), 0, 15)
        self._evidence = 0.6 * self._evidence + float(excess.sum())
        near = self._evidence > (_STILL_NEAR_DB if self._hold else _NEAR_DB) and not ours
        speed = 0.1 if near else 1.0
        self.left.learn(left, played, noise, speed)
        self.heard.learn(heard, played, noise, speed)
        self._sure = max(self._sure - 1, 0)
        if near and not self._sure:
            excess = np.clip(heard - np.maximum(self.heard.limit(anywhere), quiet), 0, 15)
            self._elsewhere = _KEEP * self._elsewhere + excess.sum(axis=1)
            near = bool(self._elsewhere.min() > _NEAR_DB)
        elif self._evidence < _STILL_NEAR_DB:
            self._elsewhere = np.zeros(1, np.float32)
        if near:
            self._sure = _SURE
        self._hold = _HOLD if near else max(self._hold - 1, 0)
        return self._hold > 0 and not ours
