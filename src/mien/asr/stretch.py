"""Whether a piece of an utterance is speech or one of the pauses in it."""

from __future__ import annotations

import numpy as np

from mien.media.tick import Pcm

# Speech near a microphone spans less than this, and a quiet room is softer than its softest parts.
_DEPTH_DB = 25.0
_NOTHING_DBFS = -65.0


class Stretch:
    """Of one utterance. It began with speech, or is about to."""

    def __init__(self) -> None:
        self._loudest = _NOTHING_DBFS

    def is_speech(self, pcm: Pcm) -> bool:
        """int16[n], the next piece: whether it is nearly as loud as the loudest before."""
        if not len(pcm):
            return False
        power = float(np.mean((pcm.astype(np.float32) / 32768) ** 2))
        level = 10 * float(np.log10(power)) if power else -np.inf
        self._loudest = max(self._loudest, level)
        return level > max(_NOTHING_DBFS, self._loudest - _DEPTH_DB)
