"""The engine: phones where they are known, else what the net hears, else loudness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.contract import Mouth, MouthRequest, MouthShape
from mien.lipsync.viseme.energy import shape_of_sound
from mien.lipsync.viseme.features import SAMPLE_RATE
from mien.lipsync.viseme.hearing import WindowHearing
from mien.lipsync.viseme.mouth import covered, shape_of_phones, shape_of_posteriors
from mien.lipsync.viseme.net import SoundNet, load_net
from mien.media.speech import Phone

# A third of a second lets the net settle where it has not followed the voice; what comes after
# a tick is the whole look-ahead.
_BEFORE_SEC, _AFTER_SEC = 0.35, 0.15

_GAP_SEC = 0.01  # a shorter one is rounding
_SILENT_PEAK = 1e-3  # -60 dB of full scale: less than a voice's own pauses


class VisemeLipSync:
    """Implements ``LipSync``. Shared by any number of conversations and threads."""

    name = "viseme"

    def __init__(self, net: SoundNet | None = None) -> None:
        """``net``: another one than the shipped."""
        net = net or load_net()
        self._hearing = None if net is None else WindowHearing(net, _BEFORE_SEC)

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    @property
    def context(self) -> tuple[float, float]:
        return (_BEFORE_SEC, _AFTER_SEC)

    def render(self, batch: Sequence[MouthRequest]) -> list[Mouth]:
        """One shape per request: 0.05 ms each from phones, 0.3 ms from sound."""
        return [Mouth(self._shape(request)) for request in batch]

    def rest(self, frame: int) -> None:
        """The avatar's own resting face."""

    def _shape(self, request: MouthRequest) -> MouthShape:
        if request.phones:
            phones = with_silence(request.phones, request.audio)
            if covered(phones):
                return shape_of_phones(phones)
        return self._shape_of_sound(request.audio)

    def _shape_of_sound(self, audio: NDArray[np.float32]) -> MouthShape:
        if self._hearing is not None:
            posteriors, start = self._hearing.posteriors(audio)
            if len(posteriors):
                return shape_of_posteriors(posteriors, start)
        return shape_of_sound(audio, SAMPLE_RATE, _BEFORE_SEC)


def with_silence(phones: Sequence[Phone], audio: NDArray[np.float32]) -> list[Phone]:
    """The phones of a window, with silence told where none is and nothing is heard.

    A gap that sounds stays a gap: what is said there is not known.
    """
    last = len(audio) / SAMPLE_RATE - _BEFORE_SEC
    filled: list[Phone] = []
    at = -_BEFORE_SEC
    for phone in [*phones, Phone("", last, last)]:
        if phone.start - at > _GAP_SEC and _silent(audio, at, phone.start):
            filled.append(Phone("", at, phone.start))
        filled.append(phone)
        at = max(at, phone.end)
    return filled


def _silent(audio: NDArray[np.float32], begin: float, end: float) -> bool:
    first, last = (max(0, round((t + _BEFORE_SEC) * SAMPLE_RATE)) for t in (begin, end))
    part = audio[first:last]
    return not part.size or float(np.abs(part).max()) < _SILENT_PEAK
