"""Speech without the silence around it, joined to what comes next by a pause that fits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.media.tick import SAMPLE_RATE

Sound = NDArray[np.float32]

FRAME = SAMPLE_RATE // 400
"""Samples; silence is found, and sound handed out, in steps of 2.5 ms."""

# What goes before the first sound: a weak onset ([h], [f]) begins below what counts as sound.
# With the frame in which it rises above, no more than 20 ms.
_LEAD_FRAMES = 6
# Held back, to fade out where a voice breaks off in the middle of a wave.
_FADE_FRAMES = 2
_FADE_SAMPLES = _FADE_FRAMES * FRAME
# A first sample above this (-54 dB) is heard as a click, and faded in. Below it the onset is the
# voice's own and stays as sharp as it is.
_CLICK = 0.002

_FADE_OUT = (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, _FADE_SAMPLES))).astype(np.float32)
_FADE_IN = _FADE_OUT[::-1][::2].copy()


class Trimmer:
    """The sound of one clause, float32[n] mono at 48 kHz, as it comes.

    Silence up to the length of the pause is handed out at once, for it is heard in any case;
    longer silence waits until the voice goes on (then it was the voice's own and stays) or ends.
    What comes out does not depend on how what goes in was cut.
    """

    def __init__(self, silence: float, pause: float) -> None:
        """silence: peaks below it, of full scale 1, are. pause: seconds after the last sound."""
        self._silence = silence
        self._pause = round(pause * SAMPLE_RATE)
        self._buffer: Sound = np.zeros(0, np.float32)  # not yet handed out
        self._seen = 0  # frames at its beginning that were looked at
        self._loud_end: int | None = None  # samples of it up to the end of the last sound
        self.lead = 0
        """Samples left out at the beginning; known when anything has come out."""
        self.begun = False

    def push(self, sound: Sound) -> Sound:
        """Returns whole frames, maybe none."""
        self._buffer = np.concatenate((self._buffer, sound))
        self._look()
        if self._loud_end is None:
            return self._give(0)
        ready = min(self._loud_end + self._pause, len(self._buffer)) - _FADE_SAMPLES
        return self._give(max(0, ready) // FRAME * FRAME)

    def finish(self, complete: bool = True) -> Sound:
        """The rest: without ``complete``, where a voice failed, nothing waits behind its sound."""
        rest = -len(self._buffer) % FRAME
        self._buffer = np.concatenate((self._buffer, np.zeros(rest, np.float32)))
        self._look()
        if self._loud_end is None:
            return np.zeros(0, np.float32)
        stop = max(0, self._loud_end + (self._pause if complete else 0))
        self._buffer = self._buffer[: min(stop, len(self._buffer) - rest)]
        self._fade_out()
        if complete:
            missing = np.zeros(stop - len(self._buffer), np.float32)
            self._buffer = np.concatenate((self._buffer, missing))
        return self._give(len(self._buffer))

    def _look(self) -> None:
        """Find the sound among new frames; silence before the first sound goes."""
        frames = self._buffer[: len(self._buffer) // FRAME * FRAME].reshape(-1, FRAME)[self._seen :]
        loud = np.flatnonzero(np.abs(frames).max(axis=1, initial=0) >= self._silence)
        first, self._seen = self._seen, self._seen + len(frames)
        if len(loud):
            if self._loud_end is None:
                self._drop(max(0, first + int(loud[0]) - _LEAD_FRAMES))
                first = self._seen - len(frames)
            self._loud_end = (first + int(loud[-1]) + 1) * FRAME
        elif self._loud_end is None:
            self._drop(max(0, self._seen - _LEAD_FRAMES))

    def _drop(self, frames: int) -> None:
        self._buffer = self._buffer[frames * FRAME :]
        self._seen -= frames
        self.lead += frames * FRAME

    def _give(self, count: int) -> Sound:
        given, self._buffer = self._buffer[:count].copy(), self._buffer[count:]
        self._seen = max(0, self._seen - count // FRAME)
        if self._loud_end is not None:
            self._loud_end -= count
        if len(given) and not self.begun:
            self.begun = True
            if abs(given[0]) > _CLICK:
                length = min(len(given), len(_FADE_IN))
                given[:length] *= _FADE_IN[:length]
        return given

    def _fade_out(self) -> None:
        length = min(len(self._buffer), _FADE_SAMPLES)
        self._buffer[len(self._buffer) - length :] *= _FADE_OUT[_FADE_SAMPLES - length :]
