"""Which chunks have which terms, as arrays: small, and quick to add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
Values = npt.NDArray[np.float32]


class Postings:
    """Of each term the chunks that have it, and a value in each (8 bytes for both)."""

    def __init__(self, chunks: Sequence[Mapping[str, float]]) -> None:
        self._ids: dict[str, int] = {}
        ids: list[int] = []
        values: list[float] = []
        number = self._ids.setdefault
        for chunk in chunks:
            ids.extend([number(term, len(self._ids)) for term in chunk])
            values.extend(chunk.values())
        rows = np.repeat(np.arange(len(chunks), dtype=np.int32), [len(chunk) for chunk in chunks])
        by_term = np.argsort(np.array(ids, np.int32), kind="stable")
        self.rows: Rows = rows[by_term]
        self.values: Values = np.array(values, np.float32)[by_term]
        counts = np.bincount(np.array(ids, np.intp), minlength=1)
        self._starts: list[int] = [0, *np.cumsum(counts).tolist()]

    def __contains__(self, term: object) -> bool:
        return term in self._ids

    def count(self, term: str) -> int:
        """How many chunks have it."""
        at = self._ids.get(term)
        return 0 if at is None else self._starts[at + 1] - self._starts[at]

    def of(self, way: Sequence[str]) -> tuple[Rows, Values]:
        """The chunks that have all of these terms, each once, and the least of their values."""
        first, *others = sorted(map(self._slice, way), key=lambda s: s.stop - s.start)
        rows, values = self.rows[first], self.values[first]
        for other in others if len(rows) else ():
            more = self.rows[other]  # in ascending order, as all are
            at = np.minimum(np.searchsorted(more, rows), len(more) - 1)
            both = more[at] == rows
            rows, values = rows[both], np.minimum(values, self.values[other][at])[both]
        return rows, values

    def _slice(self, term: str) -> slice:
        at = self._ids.get(term)
        return slice(0, 0) if at is None else slice(self._starts[at], self._starts[at + 1])
