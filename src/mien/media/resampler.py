"""Sound of one rate as sound of another, piece by piece."""

from __future__ import annotations

import av
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


class PromptResampler:
    """Of a stream that has no end: what goes in comes out at once but for a millisecond."""

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._resampler = av.AudioResampler("s16", "mono", target)

    def __call__(self, pcm: Pcm) -> Pcm:
        """int16[n] mono → int16[m]."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], "s16", "mono")
        frame.sample_rate = self._source
        parts = [part.to_ndarray()[0] for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else pcm[:0]
