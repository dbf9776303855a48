"""Finds the chunks that explain most of a question, by their words alone.

BM25F (Robertson, Zaragoza and Taylor 2004: a word in a heading counts as several in the text,
before its frequency saturates), divided by what a chunk would have that explains every word, so
that the score says how much of the question is explained and can be compared between questions.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mien.retrieval.contract import Chunk
from mien.retrieval.misspelt import spelt_otherwise
from mien.retrieval.phrasings import Phrasings
from mien.retrieval.postings import Postings
from mien.retrieval.query import Need, Terms, needs_of
from mien.retrieval.tokens import HAN, is_everyday, terms

Scores = npt.NDArray[np.float32]

# Chosen on the questions of tests/knowledge_questions.toml that are called "tuning".
_K1, _B = 1.2, 0.6
_HEADING, _OUTER = 2.0, 1.0  # of the nearest heading; of those around it and the title
# More than once in a chunk of usual length is no better explanation: without this limit a table of
# all commands answers every question that says "command".
_MOST = 1.0
# That a chunk speaks of it at all is the larger part of how well it does.
_AT_ALL, _LEAST = 0.6, 0.2
# What stands in the heading is what the chunk is about.
_IN_HEADING, _AROUND = 0.4, 0.1
# Of two chunks that explain as much, the one of the text that explains more.
_OF_TEXT = 0.3
# Who explains so much more than a text without headings could has explained all.
_FULL = 1.3
# What a phrasing adds that says the question, and how little of one that says half of it.
_PHRASED, _CLEARLY = 0.8, 3.0
# What stands in phrasings only, in occurrences in the text.
_ASKED = 0.3
# Phrasings are of everyday words, which explain more of any question.
_BY_CHANCE = 0.92
# A word found nowhere: an everyday one may only be another way to say it, a rare one (a name, most
# often) is a sign of another subject.
_EVERYDAY, _RARE = 0.6, 1.5
# All characters of a Chinese word, apart: "讲太多" is near to "太多话讲". A misspelt English one.
_CHARACTERS, _MISSPELT = 0.6, 0.7
_CHARACTER = re.compile(f"[{HAN}]")


@dataclass(frozen=True, slots=True)
class Hit:
    """score: 0…1, how much of the question the chunk explains."""

    chunk: Chunk
    score: float


@dataclass(frozen=True, slots=True)
class Worth:
    """One thing that a question asks about. worth: how much it tells here. ways: terms that
    together speak of it, and which share of it, 0…1; none if nothing here does.
    """

    worth: float
    ways: Mapping[Terms, float]

    def share(self, present: set[str]) -> float:
        """How much of it a text with these terms speaks of, 0…1."""
        return max((v for way, v in self.ways.items() if present.issuperset(way)), default=0.0)


class Index:
    """Chunks by their words. Made in about 0.2 ms for each, asked in a few ms for thousands.

    It holds about 10 kB for a chunk of 800 characters, and never changes.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunks = tuple(chunks)
        texts = [_frequencies(chunk) for chunk in self.chunks]
        lengths = np.array([sum(text.values()) for text in texts], np.float32)
        for text, chunk in zip(texts, self.chunks, strict=True):
            for term in {term for phrasing in chunk.asked for term in terms(phrasing)}:
                text.setdefault(term, _ASKED)
        self._words = Postings(texts)
        mean = float(lengths.mean()) if texts else 1.0
        norm = _K1 * (1 - _B + _B * lengths / max(mean, 1e-6))
        tf = self._words.values
        self._words.values = np.minimum(tf * (1 + _K1) / (tf + norm[self._words.rows]), _MOST)
        self._headings = Postings([_in_headings(chunk) for chunk in self.chunks])
        self._characters = Postings(
            [dict.fromkeys(_characters(chunk.text), 1.0) for chunk in self.chunks]
        )
        number: dict[tuple[str, str], int] = {}
        of_text = [number.setdefault((c.url, c.title), len(number)) for c in self.chunks]
        self._texts = np.array(of_text, np.intp)
        self._unknown_idf = _idf(1, len(self.chunks))
        self._phrasings = Phrasings(
            [chunk.asked for chunk in self.chunks], lambda term: self._idf((term,))
        )

    def __len__(self) -> int:
        return len(self.chunks)

    def search(self, query: str, limit: int = 10) -> list[Hit]:
        """The chunks that explain most of it, the best first; none that explains nothing."""
        scores, order = self.rank(self.weigh(needs_of(query)))
        best = [int(i) for i in order[:limit] if scores[i] > 0]
        return [Hit(self.chunks[i], float(scores[i])) for i in best]

    def weigh(self, needs: Iterable[Need]) -> list[Worth]:
        """How much each thing that a question asks about tells here."""
        return [self._worth(need) for need in needs]

    def rank(self, asked: Sequence[Worth]) -> tuple[Scores, npt.NDArray[np.intp]]:
        """float32[n]: how much of a question each chunk explains, 0…1; int[n]: the best first."""
        n = len(self.chunks)
        scores: Scores = np.zeros(n, np.float32)
        whole: Scores = np.zeros(int(self._texts.max(initial=-1)) + 1, np.float32)
        for need in asked:
            explained, heading = np.zeros((2, n), np.float32)
            for way, share in need.ways.items():
                for field, found in (
                    (self._words, explained),
                    (self._characters, explained),
                    (self._headings, heading),
                ):
                    rows, values = field.of(way)
                    if len(rows):
                        found[rows] = np.maximum(found[rows], share * values)
            spoken_of = _AT_ALL * (explained > _LEAST) + (1 - _AT_ALL) * explained
            scores += need.worth * (spoken_of + heading)
            in_text = np.zeros_like(whole)
            np.maximum.at(in_text, self._texts, explained)
            whole += need.worth * in_text
        perfect = sum(need.worth for need in asked) or 1.0
        scores += _OF_TEXT * whole[self._texts]
        if len(self._phrasings):
            scores += _PHRASED * perfect * self._phrasings.nearest(asked) ** _CLEARLY
            perfect /= _BY_CHANCE
        order = np.argsort(-scores, kind="stable")
        return np.minimum(scores / (perfect * _FULL), 1.0), order

    def _worth(self, need: Need) -> Worth:
        idf = {way: self._idf(way) for way in need.ways}
        known = [way for way in need.ways if idf[way]]
        own = next(iter(need.ways))
        if not known:
            sign = _EVERYDAY if len(need.ways) > 1 or all(map(is_everyday, own)) else _RARE
            return Worth(need.weight * self._unknown_idf * sign, self._likely(own))
        whole = idf[own] or sum(idf[way] for way in known) / len(known)
        shares = {way: need.ways[way] * min(idf[way] / whole, 1.0) for way in known}
        return Worth(need.weight * whole, shares)

    def _likely(self, way: Terms) -> dict[Terms, float]:
        """Ways to speak of what is not here in these words."""
        if len(way) != 1:
            return {}
        if _CHARACTER.match(way[0]):
            characters = tuple(_characters(way[0]))
            found = len(characters) > 1 and all(c in self._characters for c in characters)
            return {characters: _CHARACTERS} if found else {}
        return dict.fromkeys(spelt_otherwise(way[0], self._words), _MISSPELT)

    def _idf(self, way: Terms) -> float:
        """How rare it is here (Robertson and Spärck Jones); 0 if it is not here at all."""
        counts = [self._words.count(term) for term in way]
        return max(_idf(count, len(self.chunks)) for count in counts) if all(counts) else 0.0


def _frequencies(chunk: Chunk) -> dict[str, float]:
    frequency: dict[str, float] = defaultdict(float)
    nearest, outer = _headings(chunk)
    for term in terms(chunk.text):
        frequency[term] += 1.0
    for term in _terms_of_heading(nearest):
        frequency[term] += _HEADING
    for term in set(_terms_of_heading(outer)):
        frequency[term] += _OUTER
    return frequency


def _in_headings(chunk: Chunk) -> dict[str, float]:
    nearest, outer = _headings(chunk)
    found = dict.fromkeys(_terms_of_heading(outer), _AROUND)
    for term in set(_terms_of_heading(nearest or outer)):
        found[term] = found.get(term, 0.0) + _IN_HEADING
    return found


def _characters(text: str) -> list[str]:
    """The Chinese characters of a text, each once, so marked that none is taken for a word."""
    return [f"·{character}" for character in set(_CHARACTER.findall(text))]


@lru_cache(maxsize=2_000)
def _terms_of_heading(heading: str) -> tuple[str, ...]:
    return tuple(terms(heading))


def _headings(chunk: Chunk) -> tuple[str, str]:
    """The nearest one, and those around it with the title."""
    *outer, nearest = ("", *chunk.heading)
    return nearest, " ".join((chunk.title, *outer))


def _idf(documents: int, n: int) -> float:
    return math.log(1 + (n - documents + 0.5) / (documents + 0.5)) if n else 1.0
