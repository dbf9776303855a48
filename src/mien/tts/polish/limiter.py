"""A gain that never clips: a look-ahead limiter for one channel at 48 kHz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.tts.polish.trim import FRAME

Sound = NDArray[np.float32]

CEILING = 10 ** (-1 / 20)
"""-1 dB true peak: what lossy codecs need as headroom (EBU R 128, EBU Tech 3344)."""

# Back at full gain 100 ms after a peak 4 dB too high: slower is heard as pumping, faster as
# roughness, for it would follow the single waves of a low voice.
_RELEASE_PER_FRAME = 10 ** (0.1 / 20)

# Interpolation four times as dense, to see peaks between samples (as BS.1770-4, annex 2): 12 taps
# miss 0.1 dB at most below 12 kHz, where speech has its power.
_TAPS = 12
_HALF = _TAPS // 2
_POSITIONS = np.arange(_TAPS) - _HALF + 1
_PHASES = [
    (np.sinc(_POSITIONS - shift) * np.cos(np.pi * (_POSITIONS - shift) / (_TAPS + 2)) ** 2).astype(
        np.float32
    )
    for shift in (0.25, 0.5, 0.75)
]
_RAMP = np.arange(FRAME, dtype=np.float32) / np.float32(FRAME)


class Limiter:
    """Multiplies by a gain, and by less around what would become louder than ``CEILING``.

    Each frame's gain is reached before the frame begins and left after its end, in straight
    lines. Delays by a frame and a quarter of a millisecond at most; takes whole frames, and what
    comes out does not depend on how many at a time.
    """

    def __init__(self, gain: float) -> None:
        self._gain = gain
        self._limits: list[float] = []  # highest gain of each frame not yet handed out
        self._knot: float | None = None  # the gain where the first of them begins
        # Frames here begin ``_HALF`` samples before those pushed, so that what is interpolated
        # around each is complete when it is; the sound starts behind that much silence.
        self._history: Sound = np.zeros(2 * _HALF, np.float32)
        self._held: Sound = np.zeros(_HALF, np.float32)
        self._skip = _HALF

    def push(self, sound: Sound) -> Sound:
        """float32[n], n a multiple of ``FRAME``; returns what is ready."""
        if not len(sound):
            return sound
        seen = np.concatenate((self._history, sound))
        self._history = seen[-2 * _HALF :]
        peaks = self._peaks(seen).reshape(-1, FRAME).max(axis=1)
        self._limits += [self._limit(float(peak)) for peak in peaks]
        self._held = np.concatenate((self._held, sound))
        return self._give(len(self._limits) - 1)

    def finish(self, sound: Sound) -> Sound:
        """The rest, of which ``sound``, of any length, is the last."""
        missing = _HALF - (len(sound) + _HALF) % -FRAME
        given = self.push(np.concatenate((sound, np.zeros(missing, np.float32))))
        self._limits.append(self._gain)
        rest = np.concatenate((given, self._give(len(self._limits) - 1)))
        return rest[: len(rest) + _HALF - missing]

    def _limit(self, peak: float) -> float:
        return self._gain if peak * self._gain <= CEILING else CEILING / peak

    def _peaks(self, seen: Sound) -> Sound:
        """Highest magnitude at, and right behind, each sample but the ``_HALF`` outer ones."""
        count = len(seen) - 2 * _HALF
        peaks = np.abs(seen[_HALF : _HALF + count])
        if float(np.abs(seen).max()) * self._gain < CEILING / 2:
            return peaks  # nor is anything in between too loud
        for taps in _PHASES:
            between = np.zeros(count, np.float32)
            for at, tap in enumerate(taps):
                between += tap * seen[at + 1 : at + 1 + count]
            np.maximum(peaks, np.abs(between), out=peaks)
        return peaks

    def _give(self, frames: int) -> Sound:
        if frames <= 0:
            return np.zeros(0, np.float32)
        if self._knot is None:
            self._knot = self._limits[0]
        knots = [self._knot]
        for limit, following in zip(self._limits[:frames], self._limits[1:], strict=False):
            knots.append(min(limit, following, knots[-1] * _RELEASE_PER_FRAME))
        self._knot, self._limits = knots[-1], self._limits[frames:]
        gains = np.array(knots, np.float32)
        curve = gains[:-1, None] + np.diff(gains)[:, None] * _RAMP
        given = self._held[: frames * FRAME] * curve.reshape(-1)
        self._held = self._held[frames * FRAME :]
        given, self._skip = given[self._skip :], 0
        return given
