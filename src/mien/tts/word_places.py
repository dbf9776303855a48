"""Where in the text the words stand that espeak-ng spells.

It spells what stands in its dictionary as one word, such as 你好 or "in the", so that its words are
not always the text's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mien.language import Language
from mien.tts.espeak_timing import VOWELS, Passage

WordPlace = tuple[int, int, int]
"""Run, and ``begin:stop`` of its text."""

_HAN = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNIT = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")
_SAYABLE = re.compile(r"[^\W_]")


def word_places(
    spellings: Sequence[tuple[Passage, Sequence[Sequence[str]]]],
) -> list[WordPlace | None]:
    """One for each spelled word, in order; None for one that is a part of the word before."""
    return [
        None if span is None else (p.run, p.offset + span[0], p.offset + span[1])
        for p, words in spellings
        for span in _spans(p.text, p.language, words)
    ]


def _spans(
    text: str, language: Language, words: Sequence[Sequence[str]]
) -> list[tuple[int, int] | None]:
    spans: list[tuple[int, int] | None] = [None] * len(words)
    if words:
        units = [m.span() for m in _UNIT.finditer(text) if _SAYABLE.search(m[0])]
        for unit, number in zip(units, _matched(units, language, words), strict=True):
            before = spans[number]
            spans[number] = unit if before is None else (before[0], unit[1])
    return spans


def _matched(
    units: Sequence[tuple[int, int]], language: Language, words: Sequence[Sequence[str]]
) -> Iterator[int]:
    """For each unit of the text the word that says it: by length, where counts differ."""
    if len(units) == len(words):
        yield from range(len(units))
        return
    if language == "zh":  # a character is a syllable, and that a vowel
        sizes = [sum(symbol[0] in VOWELS for symbol in word) or 1 for word in words]
    else:
        sizes = [len(word) for word in words]
    letters = sum(stop - begin for begin, stop in units)
    number = at = 0
    said = sizes[0]
    for begin, stop in units:
        middle = (at + (stop - begin) / 2) / letters * sum(sizes)
        while said < middle and number < len(words) - 1:
            number += 1
            said += sizes[number]
        at += stop - begin
        yield number
