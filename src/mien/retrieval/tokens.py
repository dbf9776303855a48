"""Cuts texts and questions, Chinese and English mixed, into the terms that a search compares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
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

HAN = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# "bert-vits2", "mien.toml", "45438-2025", "key_env"; a slash separates.
_RUN = re.compile(rf"(?P<han>[{HAN}]+)|(?P<word>[^\W{HAN}]+(?:[-.'’+:][^\W{HAN}]+)*)")
_ALL_HAN = re.compile(f"[{HAN}]+")
_PART = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+")
# Of a term beside those it is made of: that is how a question weighs as much as its words.
_BESIDE = 0.5
# What is counted more often in 60 million words is in any text, whatever it is about.
_OFTEN, _OFTEN_WEIGHT = 2000, 0.6
# Two characters that jieba leaves alone may be a word; together they weigh as much as one.
_PAIR, _IN_PAIR = 0.7, 0.15

# Words that say little, but whose absence says the opposite: "no sound".
_NEGATIONS = frozenset("不 没 没有 no not".split())
_STOP_SET_ZH = frozenset([*STOP_ZH, *"怎么办 还要 想要 干嘛 为啥".split()])
_COMMON_SET_ZH = frozenset(COMMON_ZH)


def terms(text: str) -> list[str]:
    """The terms of a text; as often as they occur, in no particular order.

    English words as stems; the parts of names and codes and what they are together ("RTX 4090":
    rtx, 4090, rtx4090); Chinese words and the words in them, and where the dictionary knows none,
    characters and pairs of them.
    """
    return [term for term, _ in _weighted(folded(text))]


def question_terms(question: str) -> dict[str, float]:
    """The terms of a question and how much each says about its subject, 0…1."""
    found: dict[str, float] = {}
    for term, weight in _weighted(folded(question)):
        found[term] = max(found.get(term, 0.0), weight)
    return found


def phrase_terms(phrase: str) -> tuple[str, ...]:
    """The terms that stand for a folded phrase when a text has all of them: not the words in its
    words, and question words only where there is nothing else.
    """
    found: dict[str, float] = {}
    for run in _RUN.finditer(phrase):
        if run.lastgroup == "word":
            found |= {term: weight for term, weight in _word(run.group()) if weight != _BESIDE}
            continue
        words = [word for word, _ in _cut(run.group())]
        pairs = [a + b for a, b in pairwise(words) if _alone(a) and _alone(b)]
        alone = [w for w in words if len(w) > 1 or not any(w in pair for pair in pairs)]
        found |= {term: weight_of(term) for term in (*alone, *pairs)}
    content = [t for t, weight in found.items() if weight > STOP_WEIGHT or t in _NEGATIONS]
    return tuple(content or found)


def boundaries(text: str) -> set[int]:
    """Where in a folded text a word may begin or end."""
    found: set[int] = {0, len(text)}
    for run in _RUN.finditer(text):
        at = run.start()
        found |= {at, run.end()}
        if run.lastgroup == "han":
            for word, _ in _cut(run.group()):
                at += len(word)
                found.add(at)
    return found


def is_everyday(term: str) -> bool:
    """Whether a word is common in any text, whatever it is about, or a number; of English ones only
    those in the lists of common words are known to be.
    """
    return weight_of(term) < 1.0 or len(term) == 1 or not term.isalpha()


@lru_cache(maxsize=20_000)
def weight_of(term: str) -> float:
    """How much a word by itself says about the subject: little if it is an everyday word."""
    if term in STOP_EN or term in _STOP_SET_ZH:
        return STOP_WEIGHT
    if term in COMMON_STEMS or term in _COMMON_SET_ZH:
        return COMMON_WEIGHT
    return _OFTEN_WEIGHT if _counted(term) > _OFTEN else 1.0


def _counted(word: str) -> int:
    """How often jieba's dictionary has counted a Chinese word in 60 million; 0 if it has it not."""
    if len(word) < 2 or not _ALL_HAN.fullmatch(word):
        return 0
    import rjieba

    return int(rjieba.suggest_freq(word)) if rjieba.has_word(word) else 0


def _weighted(text: str) -> Iterator[tuple[str, float]]:
    before = ""  # a word that a number behind it may belong to
    end = -1
    for run in _RUN.finditer(text):
        if run.lastgroup == "han":
            yield from _chinese(run.group())
            before = ""
            continue
        word = run.group()
        yield from _word(word)
        if before and word.isdigit() and run.start() == end + 1:
            yield before + word, _BESIDE
        before = word if word.isalpha() and word not in STOP_EN else ""
        end = run.end()


@lru_cache(maxsize=20_000)
def _word(run: str) -> tuple[tuple[str, float], ...]:
    parts = _PART.findall(run)
    found = [(p, 1.0) if p[0].isdigit() else (stem(p), weight_of(stem(p))) for p in parts]
    return (*found, ("".join(parts), _BESIDE)) if len(parts) > 1 else tuple(found)


def _alone(word: str) -> bool:
    """Whether it is a character that jieba left alone, and that says something."""
    return len(word) == 1 and weight_of(word) == 1.0


def _chinese(run: str) -> Iterator[tuple[str, float]]:
    words = [(word, inner, weight_of(word)) for word, inner in _cut(run)]
    alone = [_alone(word) for word, _, _ in words]
    for at, (word, inner, weight) in enumerate(words):
        if not alone[at]:
            yield word, weight * _BESIDE if inner else weight
            for part in inner:
                yield part, weight * (1 - _BESIDE) / len(inner)
            continue
        if after := alone[at + 1 : at + 2] == [True]:
            yield word + words[at + 1][0], _PAIR
        # Alone a character means many things.
        yield word, _IN_PAIR if after or alone[max(at - 1, 0) : at] == [True] else _BESIDE


@lru_cache(maxsize=2_000)
def _cut(run: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """jieba's words, each with the words in it, without the words that jieba would guess: it
    guesses differently in a question and in a text.
    """
    import rjieba  # a dictionary of 5 MB: 0.2 s, for those who search

    words: list[tuple[str, tuple[str, ...]]] = []
    begin = len(run)
    # In search mode the words in a word come before it.
    for word, start, _ in reversed(rjieba.tokenize(run, "search", False)):
        if start >= begin:
            words[-1] = (words[-1][0], (*words[-1][1], word))
        else:
            words.append((word, ()))
            begin = start
    return tuple(reversed(words))
