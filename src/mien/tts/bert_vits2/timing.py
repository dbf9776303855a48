"""When each sound and word of a sentence is heard, from how many frames each symbol lasts.

These are the network's own durations: exact to the frame (11.6 ms at 44.1 kHz), not an estimate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.media.speech import Phone
from mien.tts.voice import SpokenWord

if TYPE_CHECKING:
    from mien.tts.bert_vits2.text import WordSpan


class Timing:
    """Of one sentence, in frames; told in seconds, piece by piece."""

    def __init__(
        self,
        symbols: Sequence[str | None],
        words: Sequence[WordSpan],
        durations: NDArray[np.int64],
        frame_sec: float,
    ) -> None:
        """symbols: for each one the network was given, its sound in IPA; "" for silence, None for a
        blank. durations: int64[n], frames of each. frame_sec: of one frame.

        A blank (the network is given one between any two symbols) is the way from one sound to the
        next. It counts to the one before it, as in Piper's phoneme alignments.
        """
        if len(symbols) != len(durations):
            raise ValueError(f"{len(durations)} durations of {len(symbols)} symbols")
        self._frame_sec = frame_sec
        bounds = np.concatenate([[0], np.cumsum(durations)]).tolist()
        self._frames: int = bounds[-1]
        sounds = list(_joined(symbols, bounds))
        starts = [start for _, start in sounds]
        self._phones = [
            (symbol, start, stop)
            for (symbol, start), stop in zip(sounds, [*starts[1:], self._frames], strict=True)
            if stop > start
        ]
        self._words = [
            (word, bounds[word.first_phone], _end(symbols, bounds, word.last_phone))
            for word in words
        ]

    def within(self, begin: int, stop: int) -> tuple[tuple[Phone, ...], tuple[SpokenWord, ...]]:
        """Phones and words that begin in the frames begin…stop, in seconds from ``begin`` on."""
        phones = tuple(
            Phone(symbol, self._seconds(first - begin), self._seconds(last - begin))
            for symbol, first, last in self._phones
            if begin <= first < stop
        )
        words = tuple(
            SpokenWord(
                word.run,
                word.begin,
                word.stop,
                self._seconds(first - begin),
                self._seconds(last - begin),
            )
            for word, first, last in self._words
            # One that got no time at the very end would otherwise never be told.
            if begin <= first < stop or (first >= stop == self._frames)
        )
        return phones, words

    def _seconds(self, frames: int) -> float:
        return frames * self._frame_sec


def _joined(symbols: Sequence[str | None], bounds: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Symbol and first frame of each sound; blanks and more silence belong to what is before."""
    before = None
    if symbols and symbols[0] is None:
        before = ""
        yield "", 0
    for symbol, start in zip(symbols, bounds, strict=False):
        if symbol is None or symbol == before == "":
            continue
        before = symbol
        yield symbol, start


def _end(symbols: Sequence[str | None], bounds: Sequence[int], last: int) -> int:
    """Where the symbol ``last`` ends, with the blanks that count to it."""
    after = last + 1
    while after < len(symbols) and symbols[after] is None:
        after += 1
    return bounds[after]
