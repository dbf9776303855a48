"""Forced alignment: text and sound that fit, that do not, and everything in between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mien.lipsync.viseme.align import FRAME_SEC, Aligner
from mien.lipsync.viseme.sounds import SILENT, SOUNDS
from mien.media.speech import Phone

FLAT = np.full(len(SOUNDS), 1 / len(SOUNDS), np.float32)


def heard(*sounds: tuple[str, int], sure: float = 0.8) -> np.ndarray:
    """Log posteriors of a net that hears each sound for so many frames."""
    rows = []
    for name, frames in sounds:
        row = np.full(len(SOUNDS), (1 - sure) / (len(SOUNDS) - 1), np.float32)
        row[SOUNDS.index(name)] = sure
        rows += [row] * frames
    return np.log(np.array(rows))


def told(aligner: Aligner, pieces: list[np.ndarray]) -> list[Phone]:
    """What somebody knows who keeps the newest answer of every moment."""
    known: list[Phone] = []
    for phones in [*(aligner.push(piece) for piece in pieces), aligner.finish()]:
        if phones:
            known = [p for p in known if p.start < phones[0].start - 1e-6]
            known += phones
    return known


def frames(phones: list[Phone]) -> list[tuple[str, int, int]]:
    return [(p.symbol, round(p.start / FRAME_SEC), round(p.end / FRAME_SEC)) for p in phones]


MAMA = heard(("", 20), ("m", 8), ("a", 15), ("m", 7), ("a", 20), ("", 10))


@pytest.mark.parametrize("size", [1, 3, 7, 25, 1000])
def test_the_same_answer_however_the_sound_is_cut(size: int) -> None:
    pieces = [MAMA[at : at + size] for at in range(0, len(MAMA), size)]
    known = frames(told(Aligner([["m", "a", "m", "a"]], FLAT), pieces))
    assert known == [
        ("", 0, 20), ("m", 20, 28), ("a", 28, 43), ("m", 43, 50), ("a", 50, 70), ("", 70, 80),
    ]  # fmt: skip


def test_the_text_decides_where_the_net_is_wrong() -> None:
    """A closure that the net takes for a d is one, because the text says so."""
    sound = heard(("", 10), ("a", 15), ("t", 7), ("a", 15), ("", 10), sure=0.7)
    known = told(Aligner([["a", "b", "a"]], FLAT), [sound])
    assert frames(known)[2] == ("b", 25, 32)


def test_silence_between_words_is_found_and_none_is_invented() -> None:
    words = [["m", "a"], ["s", "i"]]
    with_pause = heard(("m", 8), ("a", 15), ("", 30), ("s", 10), ("i", 15))
    without = heard(("m", 8), ("a", 15), ("s", 10), ("i", 15))
    assert [p.symbol for p in told(Aligner(words, FLAT), [with_pause])] == ["m", "a", "", "s", "i"]
    assert [p.symbol for p in told(Aligner(words, FLAT), [without])] == ["m", "a", "s", "i"]


def test_the_answer_ends_with_the_sound() -> None:
    aligner = Aligner([["m", "a", "m", "a"]], FLAT)
    known = told(aligner, [MAMA])
    assert known[-1].end == pytest.approx(len(MAMA) * FRAME_SEC)
    assert all(one.end == pytest.approx(two.start) for one, two in pairwise(known))


def test_what_is_known_before_the_end_is_at_most_50_ms_old() -> None:
    aligner = Aligner([["m", "a", "m", "a"]], FLAT)
    known = aligner.push(MAMA[:46])
    assert known[-1].end == pytest.approx(0.41) and known[-1].symbol in ("a", "m")


@pytest.mark.parametrize("seed", range(4))
def test_text_of_something_else_is_not_believed(seed: int) -> None:
    """Nothing is told, so that the mouth follows the sound alone."""
    rng = np.random.default_rng(seed)
    names = ["s", "i", "ʃ", "f", "u", "k", "l"]
    said = heard(*((names[rng.integers(len(names))], int(rng.integers(6, 15))) for _ in range(40)))
    words = [["m", "a", "b", "ɔ", "m"], ["b", "æ", "n", "a"]] * 6
    known = told(Aligner(words, FLAT), [said[at : at + 20] for at in range(0, len(said), 20)])
    late = [p for p in known if p.start > 1.0]
    covered = sum(p.end - p.start for p in late)
    assert covered < 0.25 * (len(said) * FRAME_SEC - 1.0)


def test_a_missing_word_loses_its_neighbourhood_only() -> None:
    words = [["m", "a"], ["s", "i"], ["b", "ɔ"], ["f", "u"]]
    sound = heard(("", 5), ("m", 8), ("a", 20), ("s", 12), ("i", 20), ("f", 12), ("u", 20), ("", 5))
    known = told(Aligner(words, FLAT), [sound])
    assert ("m", 5, 13) in frames(known)
    assert any(p.symbol == "u" and p.start >= 0.7 for p in known)


def test_extra_words_are_left_to_the_net() -> None:
    sound = heard(("m", 8), ("a", 20), *((("s", 10), ("i", 20)) * 8))
    known = told(Aligner([["m", "a"]], FLAT), [sound[at : at + 10] for at in range(0, 270, 10)])
    assert frames(known)[0] == ("m", 0, 8)
    assert known[-1].end < 1.0


@pytest.mark.parametrize("words", [[], [[]], [["ǂ"]], [["a"]]])
def test_hardly_any_text(words: list[list[str]]) -> None:
    aligner = Aligner(words, FLAT)
    for phone in told(aligner, [MAMA, MAMA[:0], MAMA]):
        assert 0 <= phone.start < phone.end <= 1.6


def test_no_sound_at_all() -> None:
    assert Aligner([["m", "a"]], FLAT).finish() == []


def test_silence_instead_of_speech_keeps_the_mouth_shut() -> None:
    known = told(Aligner([["m", "a", "m", "a"]] * 5, FLAT), [heard(("", 200), sure=0.95)])
    assert all(p.symbol == "" for p in known if p.end < 1.5)


def test_long_clauses_keep_their_precision() -> None:
    """Scores of thousands of frames stay within what a float can tell apart."""
    words = [["m", "a", "s", "i"]] * 60
    sound = heard(*((("m", 8), ("a", 15), ("s", 10), ("i", 12)) * 60))
    known = frames(told(Aligner(words, FLAT), [sound[at : at + 50] for at in range(0, 2700, 50)]))
    assert len(known) == 240 and known[-4:] == [
        ("m", 2655, 2663), ("a", 2663, 2678), ("s", 2678, 2688), ("i", 2688, 2700),
    ]  # fmt: skip


def test_silence_is_the_first_sound() -> None:
    assert SILENT == 0 and SOUNDS[0] == ""
