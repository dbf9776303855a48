"""Cuts short spoken questions, Chinese and English, into weighted tokens for a search."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mien.retrieval.common_words import (
    COMMON_STEMS,
    COMMON_WEIGHT,
    COMMON_ZH,
    STOP_EN,
    STOP_WEIGHT,
    STOP_ZH,
    folded,
    stem,
)

# The default persona's name, in questions to her.
_NAMES_ZH = ("小眉",)
_NAMES_EN = frozenset({"mei"})
# Chinese bigrams across a word boundary are noise; half of them are, roughly.
_BIGRAM_WEIGHT = 0.5

_EN_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_LOW_EN = STOP_EN | _NAMES_EN
_COMMON_SET_ZH = frozenset(COMMON_ZH)

Tokens = Mapping[str, float]


class Tokenizer:
    """Cuts a question into weighted tokens.

    Args:
        concepts: Concept name to the words and phrases, in either language, that stand for it.
            All of them become the token ``#name``.
    """

    def __init__(self, concepts: Mapping[str, Sequence[str]]) -> None:
        han: dict[str, str] = dict.fromkeys([*STOP_ZH, *_NAMES_ZH, *COMMON_ZH], "")
        latin: dict[tuple[str, ...], str] = {}
        for name, phrases in concepts.items():
            for phrase in phrases:
                text = normal(phrase)
                if _HAN_RUN.search(text):
                    han[text.replace(" ", "")] = name
                elif words := tuple(_stem(text)):
                    latin[words] = name
        self._han = han
        self._han_pattern = re.compile("|".join(map(re.escape, sorted(han, key=len)[::-1])))
        self._latin = latin
        self._longest = max((len(k) for k in latin), default=1)

    def __call__(self, text: str) -> Tokens:
        tokens: dict[str, float] = {}
        text = normal(text)
        # Concepts may be half Latin ("ai模型"), so Chinese phrases are looked up before anything.
        rest = self._take_phrases(text, tokens)
        for run in _HAN_RUN.findall(rest):
            for gram in [run] if len(run) == 1 else map("".join, pairwise(run)):
                tokens[gram] = _BIGRAM_WEIGHT
        self._take_words(_stem(rest), tokens)
        return tokens

    def _take_phrases(self, text: str, tokens: dict[str, float]) -> str:
        if not _HAN_RUN.search(text):
            return text

        def take(match: re.Match[str]) -> str:
            phrase = match.group()
            concept = self._han[phrase]
            if concept:
                tokens[f"#{concept}"] = 1.0
            else:
                tokens[phrase] = COMMON_WEIGHT if phrase in _COMMON_SET_ZH else STOP_WEIGHT
            return " "

        return self._han_pattern.sub(take, text)

    def _take_words(self, words: list[str], tokens: dict[str, float]) -> None:
        at = 0
        while at < len(words):
            for n in range(min(self._longest, len(words) - at), 0, -1):
                if concept := self._latin.get(tuple(words[at : at + n])):
                    tokens[f"#{concept}"] = 1.0
                    at += n
                    break
            else:
                word = words[at]
                if word in _LOW_EN:
                    tokens[word] = STOP_WEIGHT
                else:
                    tokens[word] = COMMON_WEIGHT if word in COMMON_STEMS else 1.0
                at += 1


def normal(text: str) -> str:
    """Lower case, half-width, punctuation as single spaces."""
    return " ".join(re.findall(r"[\w.]*\w", folded(text)))


def _stem(text: str) -> list[str]:
    """English words of a text; stems, except stop words, which stay as they are."""
    return [w if w in _LOW_EN else stem(w) for w in _EN_WORD.findall(text.lower())]
