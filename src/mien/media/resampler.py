"""Sound of one rate as sound of another, piece by piece."""

from __future__ import annotations

import numpy as np
import soxr

from mien.media.tick import Pcm


class ClauseResampler:
    """Streaming for one clause; the stream is flushed at its end so that no sample is lost."""

    def __init__(self, source: int, target: int) -> None:
        self._stream = (
            None if source == target else soxr.ResampleStream(source, target, 1, dtype="int16")
        )

    def __call__(self, pcm: Pcm, last: bool) -> Pcm:
        if self._stream is None:
            return pcm
        return np.asarray(self._stream.resample_chunk(pcm, last=last), np.int16)
