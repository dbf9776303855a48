"""Durations in frames made times in seconds, whole and in pieces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mien.media.speech import Phone
from mien.tts.bert_vits2.text import WordSpan
from mien.tts.bert_vits2.timing import Timing
from mien.tts.voice import SpokenWord

FRAME_SEC = 512 / 44_100
# _ n i h ao _ with a blank before, after and between: what the network is given for 你好.
SYMBOLS = [None, "", None, "n", None, "i", None, "x", None, "ɑʊ", None, "", None]
DURATIONS = np.array([2, 3, 1, 4, 1, 6, 2, 5, 1, 9, 3, 7, 1])
WORDS = [WordSpan(0, 0, 1, 3, 5), WordSpan(0, 1, 2, 7, 9)]
FRAMES = int(DURATIONS.sum())


def frames(seconds: float) -> int:
    assert seconds / FRAME_SEC == pytest.approx(round(seconds / FRAME_SEC), abs=1e-6)
    return round(seconds / FRAME_SEC)


def told(phones: tuple[Phone, ...], begin: int = 0) -> list[tuple[str, int, int]]:
    return [(p.symbol, begin + frames(p.start), begin + frames(p.end)) for p in phones]


def spoken(words: tuple[SpokenWord, ...], begin: int = 0) -> list[tuple[int, int, int, int]]:
    return [(w.begin, w.stop, begin + frames(w.start), begin + frames(w.end)) for w in words]


def test_blanks_count_to_the_sound_before_them_and_silence_is_one() -> None:
    phones, words = Timing(SYMBOLS, WORDS, DURATIONS, FRAME_SEC).within(0, FRAMES)
    assert told(phones) == [
        ("", 0, 6),
        ("n", 6, 11),
        ("i", 11, 19),
        ("x", 19, 25),
        ("ɑʊ", 25, 37),
        ("", 37, 45),
    ]
    assert spoken(words) == [(0, 1, 6, 19), (1, 2, 19, 37)]


@pytest.mark.parametrize("cuts", [[6], [7, 20], [1, 2, 3, 19, 44], list(range(1, FRAMES))])
def test_pieces_tell_together_what_the_whole_tells(cuts: list[int]) -> None:
    timing = Timing(SYMBOLS, WORDS, DURATIONS, FRAME_SEC)
    phones, words = [], []
    for begin, stop in pairwise([0, *cuts, FRAMES]):
        piece = timing.within(begin, stop)
        assert all(0 <= frames(p.start) < stop - begin for p in piece[0]), "they begin within it"
        phones += told(piece[0], begin)
        words += spoken(piece[1], begin)
    whole = timing.within(0, FRAMES)
    assert (phones, words) == (told(whole[0]), spoken(whole[1]))


def test_phones_cover_the_sound_without_gap_or_overlap() -> None:
    phones, _ = Timing(SYMBOLS, WORDS, DURATIONS, FRAME_SEC).within(0, FRAMES)
    assert all(a.end == b.start for a, b in pairwise(phones))
    assert phones[0].start == 0 and frames(phones[-1].end) == FRAMES


def test_the_same_sound_twice_is_two_phones() -> None:
    phones, _ = Timing(["n", None, "n"], [], np.array([2, 1, 3]), FRAME_SEC).within(0, 6)
    assert told(phones) == [("n", 0, 3), ("n", 3, 6)]


def test_a_sound_without_time_is_left_out_and_its_word_is_not() -> None:
    words = [WordSpan(0, 0, 1, 0, 0), WordSpan(0, 1, 2, 1, 1), WordSpan(0, 2, 3, 2, 2)]
    timing = Timing(["a", "n", "o"], words, np.array([4, 0, 0]), FRAME_SEC)
    (phone,), heard = timing.within(0, 4)
    assert (phone.symbol, frames(phone.end)) == ("a", 4)
    assert [(w.begin, frames(w.start), frames(w.end)) for w in heard] == [
        (0, 0, 4),
        (1, 4, 4),
        (2, 4, 4),
    ]
    assert timing.within(0, 2)[1] == heard[:1], "told once, with the last piece"


def test_durations_must_be_those_of_the_symbols() -> None:
    with pytest.raises(ValueError, match="2 durations of 3 symbols"):
        Timing(["a", None, "b"], [], np.array([1, 2]), FRAME_SEC)
