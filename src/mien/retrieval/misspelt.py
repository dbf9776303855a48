"""What an English word that is not known may have been meant to be."""

from __future__ import annotations

import string
from collections.abc import Container, Iterator

from mien.retrieval.common_words import stem

_SHORTEST = 5  # a shorter word is near to too many others
_LONGEST = 24  # a longer one is no word
_SHORTEST_PART = 3
_MOST = 4


def spelt_otherwise(word: str, known: Container[str]) -> list[tuple[str, ...]]:
    """The known stems that a stem may stand for: two words written as one, or one letter too many,
    too few, wrong or in the wrong place (Damerau 1964: four of five misspellings).
    """
    if not word.isalpha() or not word.isascii() or len(word) > _LONGEST:
        return []
    cuts = range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1)
    apart = [(stem(word[:at]), stem(word[at:])) for at in cuts]
    found: list[tuple[str, ...]] = [p for p in apart if p[0] in known and p[1] in known]
    if len(word) >= _SHORTEST:
        found += [(other,) for other in dict.fromkeys(_edits(word)) if other in known]
    return found[:_MOST]


def _edits(word: str) -> Iterator[str]:
    for at in range(len(word)):
        before, letter, after = word[:at], word[at], word[at + 1 :]
        yield before + after
        if after:
            yield before + after[0] + letter + after[1:]
        for other in string.ascii_lowercase:
            yield before + other + after
            yield before + other + letter + after
    for other in string.ascii_lowercase:
        yield word + other
