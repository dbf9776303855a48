"""What is left to say of a clause whose voice broke off: neither a word twice nor one left out.

A word counts as said once half of it was heard. Where the voice (or the aligner behind it) told
when its words begin, that decides; sound after the last of them, or all of it where none were told,
is counted out at the pace the voice had before. Silence counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mien.language import Language
from mien.media.tick import Pcm
from mien.tts.pace import paced_words
from mien.tts.voice import Run, SpokenWord, VoiceChunk

_SAYABLE = re.compile(r"[^\W_]")
_FRAME_SEC = 0.01
# RMS of int16: 20 dB below the weakest syllables at any sensible level, above a voice's rustle.
_VOICED = 100.0
# Of the pace: how much one clause teaches, and how far it may get from the usual.
_LEARNING, _LIMITS = 0.4, (0.3, 3.0)


Place = tuple[int, int]
"""Of a clause's runs: which, and which of its characters."""


class Pace:
    """How long a voice takes for words, beside ``paced_words``; learned from what it says."""

    def __init__(self) -> None:
        self._factors: dict[Language, float] = {"zh": 1.0, "en": 1.0}

    def words(self, runs: Sequence[Run]) -> list[SpokenWord]:
        """The words of ``runs`` as this voice may say them; marks are silent and take no time."""
        words = []
        for index, run in enumerate(runs):
            factor = self._factors[run.language]
            for word in paced_words(run.text):
                if _SAYABLE.search(run.text[word.begin : word.stop]):
                    start, end = word.start * factor, word.end * factor
                    words.append(SpokenWord(index, word.begin, word.stop, start, end))
        return words

    def learn(self, seconds: float, runs: Sequence[Run]) -> None:
        """It took ``seconds`` of voiced sound to say ``runs``."""
        expected: dict[Language, float] = {"zh": 0.0, "en": 0.0}
        for word in self.words(runs):
            expected[runs[word.run].language] += word.end - word.start
        total = sum(expected.values())
        if not total or not seconds:
            return
        for language, share in expected.items():
            factor = self._factors[language] * (seconds / total) ** (_LEARNING * share / total)
            self._factors[language] = min(max(factor, _LIMITS[0]), _LIMITS[1])


class Remainder:
    """Listens to one clause in one voice."""

    def __init__(self, runs: Sequence[Run], sample_rate: int, pace: Pace) -> None:
        self._runs = runs
        self._rate = sample_rate
        self._pace = pace
        self._sound: list[Pcm] = []
        self._samples = 0
        self._told: list[SpokenWord] = []  # in seconds from the clause's first sample

    @property
    def silent(self) -> bool:
        """Whether there was no sound at all."""
        return self._samples == 0

    def hear(self, chunk: VoiceChunk) -> None:
        """The next chunk was handed out."""
        at = self._samples / self._rate
        self._told += (replace(w, start=w.start + at, end=w.end + at) for w in chunk.words)
        if len(chunk.pcm):
            self._sound.append(chunk.pcm)
            self._samples += len(chunk.pcm)

    def complete(self) -> None:
        """The clause was said to its end: remember how long it took."""
        self._pace.learn(self._voiced_after(0.0), self._runs)

    def left(self) -> Place:
        """Where the first word begins that is still to be said; past the last run if none is.

        Costs a millisecond per ten seconds of sound.
        """
        heard = self._samples / self._rate
        place, until = (0, 0), 0.0
        for told in self._told:
            if heard - told.start < (told.end - told.start) / 2:
                return told.run, told.begin
            place, until = max(place, (told.run, told.stop)), max(until, told.end)
        budget = self._voiced_after(until)
        for word in self._pace.words(self._runs):
            if (word.run, word.begin) < place:
                continue
            length = word.end - word.start
            if budget < length / 2:
                return word.run, word.begin
            budget -= length
        return len(self._runs), 0

    def _voiced_after(self, begin: float) -> float:
        """Seconds of sound from ``begin`` on that are not silence."""
        if not self._sound:
            return 0.0
        sound = np.concatenate(self._sound)[round(begin * self._rate) :]
        frame = round(self._rate * _FRAME_SEC)
        frames = sound[: len(sound) // frame * frame].astype(np.float32).reshape(-1, frame)
        level = np.sqrt((frames * frames).mean(axis=1))
        return float((level > _VOICED).sum()) * _FRAME_SEC


def sayable(runs: Sequence[Run]) -> bool:
    """Whether there is a letter, character or digit in it."""
    return any(_SAYABLE.search(run.text) for run in runs)


def rest_of(runs: Sequence[Run], place: Place) -> list[Run]:
    """The runs from ``place`` on."""
    index, begin = place
    if index >= len(runs):
        return []
    first = runs[index]
    return [Run(first.language, first.text[begin:]), *runs[index + 1 :]]


def moved(place: Place, within: Place) -> Place:
    """A place in ``rest_of(runs, place)`` as one in ``runs``."""
    return place[0] + within[0], within[1] + (place[1] if within[0] == 0 else 0)
