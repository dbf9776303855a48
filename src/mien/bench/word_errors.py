"""How much of what was said was understood: word error rate, of Chinese character error rate."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[a-z0-9]+(?:'[a-z]+)*")


def tokens(text: str) -> list[str]:
    """English words in lower case, Chinese characters one by one; no punctuation."""
    return _TOKEN.findall(text.lower().replace("’", "'"))


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, insertions and deletions that make ``heard`` of ``said`` (Levenshtein)."""
    costs = list(range(len(heard) + 1))
    for row, one in enumerate(said, 1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(heard, 1):
            diagonal, costs[column] = (
                costs[column],
                min(costs[column] + 1, costs[column - 1] + 1, diagonal + (one != other)),
            )
    return costs[-1]
