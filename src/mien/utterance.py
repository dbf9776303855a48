"""What somebody says from the first sound to the end of their turn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mien.media.microphone import RATE
from mien.media.tick import Pcm

# The turn detector hears the last 8 s; more would only be kept.
KEPT_SEC = 8.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of a pause: what was said so far, and whether there is more to come.

    probability: that the turn is over, 0…1, by its sound. patience: seconds of silence after which
    it is. at: monotonic seconds of the transcript.
    """

    text: str
    probability: float | None
    patience: float
    at: float


@dataclass(slots=True, eq=False)
class Utterance:
    """begin: position of its first sample. pressed: by push-to-talk; its end is not for us to find.
    asleep: said to nobody yet, where the presenter is to be called by its name first.
    interrupts: whether an answer was given up for it. sure: whether it is speech for certain. cut:
    whether no more will come of it. judging: whether the present pause is being looked at.
    judgement: what came of that. speech_sec: voiced in all.
    """

    begin: int
    pressed: bool = False
    asleep: bool = False
    interrupts: bool = False
    sure: bool = False
    cut: bool = False
    judgement: Judgement | None = None
    speech_sec: float = 0.0
    _last_sec: float = 0.0
    judging: bool = False
    _pieces: list[Pcm] = field(default_factory=list)
    _kept: int = 0

    def push(self, pcm: Pcm) -> None:
        """int16[n] mono 16 kHz."""
        self._pieces.append(pcm)
        self._kept += len(pcm)
        while self._kept - len(self._pieces[0]) >= KEPT_SEC * RATE:
            self._kept -= len(self._pieces.pop(0))

    def spoken(self, since_pause_sec: float) -> None:
        """So much was voiced since the last pause."""
        self.speech_sec += since_pause_sec - min(self._last_sec, since_pause_sec)
        self._last_sec = since_pause_sec

    def sound(self) -> Pcm:
        """int16[n] of the last 8 seconds."""
        return np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)

    def goes_on(self) -> None:
        """Somebody speaks again: what the pause seemed to mean is void."""
        self.judgement, self.judging = None, False


class PreRoll:
    """The last moments of sound: what was said before it was known to be speech."""

    def __init__(self, seconds: float) -> None:
        self._samples = round(seconds * RATE)
        self._sound: Pcm = np.zeros(0, np.int16)

    def push(self, pcm: Pcm) -> None:
        self._sound = np.concatenate([self._sound, pcm])[-self._samples :]

    def take(self) -> Pcm:
        """int16[n], and forget it."""
        sound, self._sound = self._sound, self._sound[:0]
        return sound
