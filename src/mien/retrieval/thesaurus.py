"""Everyday words that mean the same, Chinese and English: people ask in other words than documents
are written in.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from mien.retrieval.common_words import COMMON_WEIGHT, STOP_ZH, folded, stem
from mien.retrieval.tokens import HAN, boundaries, phrase_terms, weight_of

Terms = tuple[str, ...]

_HAN = re.compile(f"[{HAN}]")
_BESIDE_HAN = re.compile(rf"(?<=[{HAN}])\s+|\s+(?=[{HAN}])")
_WORD = re.compile(rf"(?<![._\d])[^\W\d_{HAN}]+(?![_\d]|\.\w)")


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase of the thesaurus in a question: its own terms, and those of its synonyms."""

    terms: Terms
    others: tuple[Terms, ...]
    translations: tuple[Terms, ...]


class Thesaurus:
    """Groups of phrases. ``a, b > c``: who asks for a or b may be answered with c as well, not the
    other way round; without ``>`` each stands for each.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        meaning: dict[str, set[str]] = defaultdict(set)
        for line in lines:
            asked, _, more = folded(line.partition("#")[0]).partition(">")
            group = {_tight(phrase) for phrase in asked.split(",")} - {""}
            further = {_tight(phrase) for phrase in more.split(",")} - {""}
            for phrase in group:
                meaning[phrase] |= (group | further) - {phrase}
        self._chinese: dict[str, Found] = {}
        self._english: dict[Terms, Found] = {}
        for phrase, others in meaning.items():
            # What does not tell cannot be found by itself, but what it means can.
            terms = phrase_terms(phrase) if _tells(phrase) else (phrase,)
            chinese = bool(_HAN.search(phrase))
            same, other = (
                {phrase_terms(o) for o in others if bool(_HAN.search(o)) is language and _tells(o)}
                - {terms}
                for language in (chinese, not chinese)
            )
            found = Found(terms, tuple(sorted(same)), tuple(sorted(other - same)))
            if chinese:
                self._chinese[phrase] = found
            else:
                self._english[tuple(map(stem, phrase.split()))] = found
        longest_first = sorted({*self._chinese, *STOP_ZH}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._longest = max(map(len, self._english), default=1)

    def take(self, text: str) -> tuple[str, list[Found]]:
        """What is left of a folded text, and the phrases that were in it: the longest ones."""
        found: list[Found] = []
        text = _tight(text)
        between = boundaries(text)

        def take(match: re.Match[str]) -> str:
            phrase = match.group()
            known = self._chinese.get(phrase)
            # A short phrase may be parts of two words that stand side by side.
            if known is None or not (len(phrase) > 2 or {match.start(), match.end()} <= between):
                return phrase
            found.append(known)
            return " "

        return self._take_english(self._pattern.sub(take, text), found), found

    def _take_english(self, text: str, found: list[Found]) -> str:
        words = [(stem(word.group()), word.span()) for word in _WORD.finditer(text)]
        left: list[str] = []
        at = kept = 0
        while at < len(words):
            for n in range(min(self._longest, len(words) - at), 0, -1):
                begin, end = words[at][1][0], words[at + n - 1][1][1]
                known = self._english.get(tuple(word for word, _ in words[at : at + n]))
                # Of "gpt-sovits" no half is taken.
                if known and "-" not in (text[begin - 1 : begin], text[end : end + 1]):
                    found.append(known)
                    left.append(text[kept:begin])
                    kept = end
                    at += n
                    break
            else:
                at += 1
        return "".join((*left, text[kept:]))


def _tells(phrase: str) -> bool:
    """Whether a text that has its words is likely to have the phrase: not "over and over"."""
    terms = phrase_terms(phrase)
    if len(terms) == 1:
        return terms[0] == phrase or (" " not in phrase and not _HAN.search(phrase))
    return max(map(weight_of, terms)) > COMMON_WEIGHT


def _tight(text: str) -> str:
    """Without spaces beside Chinese characters: "b 站" is "b站"."""
    return _BESIDE_HAN.sub("", text).strip()


@functools.cache
def thesaurus() -> Thesaurus:
    """mien's own."""
    file = resources.files("mien") / "assets" / "retrieval" / "thesaurus.txt"
    return Thesaurus(file.read_text(encoding="utf-8").splitlines())
