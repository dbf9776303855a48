"""What each sound looks like, whatever way it is written."""

from __future__ import annotations

import pytest

from mien.lipsync.viseme.looks import LOOKS, SILENCE, UNKNOWN, looks


@pytest.mark.parametrize("symbol", ["p", "b", "m", "pʰ", "ˈb", "mː", "m̩", "p5", "ph"])
def test_bilabials_close_the_lips(symbol: str) -> None:
    first = looks(symbol)[0][0]
    assert first.consonant == "PP" and first.grip == 1


@pytest.mark.parametrize(
    ("symbol", "consonant"),
    [
        ("f", "FF"),
        ("v", "FF"),
        ("θ", "TH"),
        ("l", "TH"),
        ("s", "SS"),
        ("tsʰ", "SS"),
        ("ts.h", "SS"),
        ("tɕ", "SS"),
        ("ʂ", "CH"),
        ("tʂʰ", "CH"),
        ("t͡ʃ", "CH"),
        ("ɹ", "CH"),
    ],
)
def test_consonant_classes(symbol: str, consonant: str) -> None:
    assert next(look.consonant for look, _ in looks(symbol)) == consonant
    assert len([look for look, _ in looks(symbol) if not look.vowel]) in (1, 2)


@pytest.mark.parametrize("symbol", ["tɕ", "tʂ", "tʃ", "dʒ", "ts", "tsʰ"])
def test_an_affricate_is_one_sound(symbol: str) -> None:
    assert len(looks(symbol)) == 1


@pytest.mark.parametrize(
    ("symbol", "count"),
    [("aɪ", 2), ("oʊ", 2), ("ɑu", 2), ("iɛ", 2), ("uai", 3), ("uei", 3), ("iɑu2", 3), ("ɚ", 1)],
)
def test_diphthongs_pass_through_each_vowel(symbol: str, count: int) -> None:
    found = looks(symbol)
    assert len(found) == count
    assert sum(share for _, share in found) == pytest.approx(1)
    assert count == 1 or found[0][1] > found[-1][1]


def test_vowels_are_where_phonetics_says() -> None:
    def only(symbol: str) -> tuple[float, float]:
        look = looks(symbol)[0][0]
        return look.openness, look.rounding

    assert only("a")[0] > only("e")[0] > only("i")[0]
    assert only("i")[1] < -0.5 and only("u")[1] > 0.9 and only("y")[1] > 0.8
    assert only("ɑː") == only("ɑ") == only("ˈɑ5")


def test_silence_and_nonsense() -> None:
    assert looks("") == ((SILENCE, 1.0),)
    assert looks("ˈ") == ((SILENCE, 1.0),)
    assert looks("ǂ") == ((UNKNOWN, 1.0),)
    assert looks("中") == ((UNKNOWN, 1.0),)
    assert looks("ǂa")[0][0] == LOOKS["a"]


def test_every_look_is_within_the_contract() -> None:
    for look in (*LOOKS.values(), SILENCE, UNKNOWN):
        assert 0 <= look.openness <= 1 and -1 <= look.rounding <= 1
        assert 0 <= look.grip <= 1 and 0 < look.dominance <= 1
        assert look.consonant in ("", "PP", "FF", "TH", "CH", "SS")
        assert bool(look.consonant) == (look.grip > 0)
