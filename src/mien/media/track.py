"""A growing, trimmed strip of samples addressed by absolute position."""

from __future__ import annotations

import numpy as np

from mien.media.tick import Pcm


class SampleTrack:
    """int16 mono samples appended at the end and read anywhere; the played past is forgotten.

    Positions are absolute sample numbers since the track was made and never change, so that
    marks and phones can point into the track while it is being trimmed.
    """

    def __init__(self) -> None:
        self._buffer: Pcm = np.zeros(48_000, np.int16)
        self._base = 0  # absolute position of _buffer[0]
        self._end = 0

    @property
    def end(self) -> int:
        """Position just past the newest sample."""
        return self._end

    def append(self, pcm: Pcm) -> None:
        """Add int16[n] at the end."""
        used = self._end - self._base
        if used + len(pcm) > len(self._buffer):
            grown = np.zeros(max(2 * len(self._buffer), used + len(pcm)), np.int16)
            grown[:used] = self._buffer[:used]
            self._buffer = grown
        self._buffer[used : used + len(pcm)] = pcm
        self._end += len(pcm)

    def read(self, begin: int, stop: int) -> Pcm:
        """A copy of [begin, stop); zeros where the track has no samples (yet or any more)."""
        out = np.zeros(stop - begin, np.int16)
        first, last = max(begin, self._base), min(stop, self._end)
        if first < last:
            out[first - begin : last - begin] = self._buffer[first - self._base : last - self._base]
        return out

    def forget_before(self, position: int) -> None:
        """Release samples before ``position``; only worth the copy once it frees a lot."""
        drop = min(position, self._end) - self._base
        if drop < len(self._buffer) // 2:
            return
        left = self._buffer[drop : self._end - self._base].copy()
        self._buffer = np.zeros(max(48_000, 2 * len(left)), np.int16)
        self._buffer[: len(left)] = left
        self._base += drop
