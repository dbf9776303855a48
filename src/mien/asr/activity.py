"""From frames of a VAD to "somebody speaks" and "they have stopped", of one microphone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mien.asr.vad import WINDOW, VadFrame
from mien.media.microphone import RATE

Stage = Literal["quiet", "likely", "sure"]


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """Probabilities are Silero's, 0…1.

    glimpse: from when on a glimpse is a likely beginning. At 0.1 speech in a quiet room is noticed
        30 ms after it can be heard, 50 to 80 at most; at 0.25 35 and 130, for half as many knocks
        and breaths that are taken for one.
    begin: the same of a whole window.
    tonal: the same of a frame that is one tone, as beeps are.
    voiced: from when on a window counts as speech; ``sure_sec`` of them make sure. With 0.09 s
        twice as many beeps do.
    keep: until when a window still is speech, once it is sure. Each 0.15 less ends it 10 to 30 ms
        later.
    doubt_sec: how long something likely may go without a voiced window. A soft consonant takes
        0.13 s to the vowel it begins.
    hangover_sec: how long speech goes on after its last window that was. With 0.2 s softly spoken
        sentences fall apart.
    """

    glimpse: float = 0.1
    begin: float = 0.3
    tonal: float = 0.8
    voiced: float = 0.5
    keep: float = 0.4
    sure_sec: float = 0.12
    doubt_sec: float = 0.16
    hangover_sec: float = 0.25


class SpeechActivity:
    """Whether somebody speaks.

    stage: "quiet"; "likely" from the first sign of speech on, which may be a door (duck the voice);
        "sure" after ``sure_sec`` of it (do not give up before they stop). Something likely that
        comes to nothing is quiet again after ``doubt_sec``.
    onset: position where this speech began, as far as it can be told; None in quiet.
    told: position at which it was noticed; None in quiet.
    last_voice: position of the end of the last frame that was speech, this speech's or an earlier
        one's; 0 before the first.
    speech_sec: of voiced sound since the onset, pauses left out; 0 in quiet.
    """

    def __init__(self, settings: ActivitySettings | None = None) -> None:
        self._settings = settings or ActivitySettings()
        self.stage: Stage = "quiet"
        self.onset: int | None = None
        self.told: int | None = None
        self.last_voice = 0
        self.speech_sec = 0.0

    @property
    def speaking(self) -> bool:
        """At least likely."""
        return self.stage != "quiet"

    @property
    def newest(self) -> int:
        """Position of the last sign of this speech; -1 in quiet."""
        return -1 if self.onset is None else max(self.onset, self.last_voice)

    def silence_sec(self, now: int) -> float:
        """Since the last voiced frame, at position ``now``; also while still speaking."""
        return max(0, now - self.last_voice) / RATE

    def push(self, frames: Iterable[VadFrame]) -> None:
        """What the VAD has made of the sound that came."""
        for frame in frames:
            if self.stage == "quiet":
                self._listen(frame)
            elif not frame.glimpse:
                self._follow(frame)

    def _listen(self, frame: VadFrame) -> None:
        settings = self._settings
        if frame.probability < (settings.glimpse if frame.glimpse else settings.begin):
            return
        if frame.tonal and frame.probability < settings.tonal:
            return
        self.stage, self.told = "likely", frame.position
        self.onset = max(self.last_voice, frame.position - WINDOW)
        self.speech_sec = 0.0
        if not frame.glimpse:
            self._follow(frame)

    def _follow(self, frame: VadFrame) -> None:
        settings = self._settings
        sure = self.stage == "sure"
        if frame.probability >= (settings.keep if sure else settings.voiced):
            self.speech_sec += WINDOW / RATE
            self.last_voice = frame.position
            if self.speech_sec >= settings.sure_sec:
                self.stage = "sure"
            return
        assert self.told is not None
        since = frame.position - max(self.last_voice, self.told)
        if since >= (settings.hangover_sec if sure else settings.doubt_sec) * RATE:
            self.stage, self.onset, self.told, self.speech_sec = "quiet", None, None, 0.0
