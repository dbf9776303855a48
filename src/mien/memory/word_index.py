"""Finding what was said by its words: an inverted index in the store, ranked by BM25.

Not SQLite's FTS5: its trigrams find no Chinese word of two characters, its statistics are those of
all users together, and what it deletes stays in its segments until they are merged.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from mien.memory.words import words_of

Place = Literal["turn", "fact"]

# BM25 (Robertson and Zaragoza, 2009) with the usual constants; the mean length is taken to be that
# of a spoken sentence, so that a word's weight is known when it is written.
K1, B, MEAN_WORDS = 1.2, 0.75, 12.0
# Of a long question the rarest words, of a word that is everywhere the newest uses: with 10,000
# turns that are full of the words asked for, all of it takes some 2 ms.
MOST_ASKED, RAREST = 24, 10
NEWEST = 500
UNHEARD = 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """id: of the turn or fact. score: BM25. covered: 0…1, the share of the question's words that
    are in it, rare words counting more."""

    place: Place
    id: int
    score: float
    covered: float


def add(db: sqlite3.Connection, user: int, place: Place, key: int, text: str) -> None:
    counted = Counter(words_of(text))
    longer = 1 - B + B * counted.total() / MEAN_WORDS
    db.executemany(
        "INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?, ?)",
        [
            (user, word, place, key, round(count * (K1 + 1) / (count + K1 * longer), 3))
            for word, count in counted.items()
        ],
    )


def remove(db: sqlite3.Connection, user: int, place: Place, key: int, text: str) -> None:
    """text: the one that was added."""
    words = set(words_of(text))
    gone = db.executemany(
        "DELETE FROM words WHERE user = ? AND word = ? AND place = ? AND id = ?",
        [(user, word, place, key) for word in words],
    ).rowcount
    if gone != len(words):  # cut in another way than today; none must stay behind
        db.execute("DELETE FROM words WHERE user = ? AND place = ? AND id = ?", (user, place, key))


def search(
    db: sqlite3.Connection, user: int, question: str, limit: int, newest: int = NEWEST
) -> list[Hit]:
    """What shares words with the question, the best first, of equals the newest. newest: so many
    uses of a word are looked at."""
    total = _count(db, "SELECT count(*) FROM turns WHERE user = ?", user)
    total += _count(db, "SELECT count(*) FROM facts WHERE user = ?", user)
    having = {
        word: _count(db, "SELECT count(*) FROM words WHERE user = ? AND word = ?", user, word)
        for word in list(dict.fromkeys(words_of(question)))[:MOST_ASKED]
    }
    scores: dict[tuple[Place, int], float] = {}
    covered: dict[tuple[Place, int], float] = {}
    weight_of_all = 0.0
    for word in sorted(having, key=having.__getitem__)[:RAREST]:
        # A word that nobody said tells nothing of rarity; it is a strange one.
        count = having[word]
        rarity = math.log(1 + (total - count + 0.5) / (count + 0.5)) if count else UNHEARD
        weight_of_all += rarity
        for place in ("turn", "fact"):
            found = db.execute(
                "SELECT id, weight FROM words WHERE user = ? AND word = ? AND place = ?"
                " ORDER BY id DESC LIMIT ?",
                (user, word, place, newest),
            )
            for key, weight in found:
                at: tuple[Place, int] = (place, key)
                scores[at] = scores.get(at, 0.0) + rarity * weight
                covered[at] = covered.get(at, 0.0) + rarity
    best = sorted(scores, key=lambda at: (scores[at], at[1]), reverse=True)[:limit]
    return [Hit(*at, scores[at], covered[at] / weight_of_all) for at in best]


def _count(db: sqlite3.Connection, query: str, *of: object) -> int:
    return int(db.execute(query, of).fetchone()[0])
