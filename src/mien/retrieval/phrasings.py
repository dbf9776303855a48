"""Ways to ask, written down by the writer of the texts: who nearly says one means it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mien.retrieval.postings import Postings
from mien.retrieval.tokens import question_terms

Scores = npt.NDArray[np.float32]
Terms = tuple[str, ...]

# How much less a phrasing counts of which nothing was asked: as in the FAQ.
_UNASKED = 0.3


class Wanted(Protocol):
    """See ``mien.retrieval.index.Worth``."""

    @property
    def worth(self) -> float: ...
    @property
    def ways(self) -> Mapping[Terms, float]: ...


class Phrasings:
    """The phrasings of n chunks; of each chunk the one counts that is nearest to a question."""

    def __init__(self, asked: Sequence[Sequence[str]], idf: Callable[[str], float]) -> None:
        """idf: how rare a term is in the chunks."""
        self._n = len(asked)
        chunk_of = [at for at, phrasings in enumerate(asked) for _ in phrasings]
        self._chunk_of = np.array(chunk_of, np.intp)
        terms = [question_terms(phrasing) for phrasings in asked for phrasing in phrasings]
        weighed = [{term: weight * idf(term) for term, weight in each.items()} for each in terms]
        self._terms = Postings(weighed)
        self._whole = np.array([max(sum(each.values()), 1e-6) for each in weighed], np.float32)

    def __len__(self) -> int:
        return len(self._chunk_of)

    def nearest(self, asked: Sequence[Wanted]) -> Scores:
        """float32[n], 0…1: how much of a question the nearest phrasing of each chunk says,
        less what it asks besides.
        """
        best: Scores = np.zeros(self._n, np.float32)
        if not len(self):
            return best
        said, heard = np.zeros((2, len(self)), np.float32)
        for need in asked:
            shares, weights = np.zeros((2, len(self)), np.float32)
            for way, share in need.ways.items():
                rows, _ = self._terms.of(way)
                if not len(rows):
                    continue
                shares[rows] = np.maximum(shares[rows], share)
                weight = np.zeros(len(rows), np.float32)
                for term in way:
                    others, values = self._terms.of((term,))
                    weight += values[np.searchsorted(others, rows)]
                weights[rows] = np.maximum(weights[rows], weight)
            said += need.worth * shares
            heard += weights
        perfect = sum(need.worth for need in asked) or 1.0
        besides = 1 - np.minimum(heard / self._whole, 1.0)
        np.maximum.at(best, self._chunk_of, said / perfect * (1 - _UNASKED * besides))
        return best
