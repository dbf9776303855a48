"""Looking something up in what is remembered of a user, and forgetting it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mien.memory import facts, summaries, turns, users, word_index
from mien.memory.chores import to_scrub
from mien.memory.facts import Fact
from mien.memory.turns import Exchange

# Below, a hit has a common word with the question and nothing else.
LEAST_COVERED = 0.25
# What is forgotten has to be meant; whoever misses something can say it in other words.
FORGET_COVERED = 0.8
# However much that is: what was said to be forgotten must be.
EVERY = 2**31


@dataclass(frozen=True, slots=True)
class Found:
    """The best first."""

    facts: tuple[Fact, ...] = ()
    exchanges: tuple[Exchange, ...] = ()


def search(
    db: sqlite3.Connection, user: int, question: str, limit: int, now_in: tuple[str, int]
) -> Found:
    """What was said and is known about it, but for the exchange (conversation, turn) ``now_in``,
    in which it is asked. Raises Erased."""
    users.seen(db, user, 0.0)
    hits = word_index.search(db, user, question, 4 * limit)
    known: dict[int, Fact] = {}
    said: dict[tuple[str, int], Exchange] = {}
    for hit in hits:
        if hit.covered < LEAST_COVERED or len(known) + len(said) >= limit:
            continue
        if hit.place == "fact":
            fact = facts.find(db, user, hit.id)
            if fact is not None and fact.superseded_by is None:
                known[fact.id] = fact
        elif (exchange := turns.exchange(db, user, hit.id)) is not None:
            first = exchange.said[0]
            if (first.conversation, first.turn) != now_in:
                said[first.conversation, first.turn] = exchange
    return Found(tuple(known.values()), tuple(said.values()))


def forget(db: sqlite3.Connection, user: int, what: str, now_in: tuple[str, int]) -> int:
    """Forget the facts and exchanges about it, and the lines of the summary that share a word with
    it. Returns how many facts and exchanges.

    now_in: the exchange (conversation, turn) in which that is asked. It says what is to be
    forgotten, so it always matches: it does not count, and goes if anything else did.

    Raises Erased.
    """
    users.seen(db, user, 0.0)
    hits = word_index.search(db, user, what, EVERY, EVERY)
    meant = [hit for hit in hits if hit.covered >= FORGET_COVERED]
    meant.sort(key=lambda hit: hit.place == "turn")  # a fact takes the exchange that it is from
    gone = 0
    for hit in meant:
        if hit.place == "fact":
            gone += facts.remove(db, user, hit.id)
        elif (exchange := turns.exchange(db, user, hit.id)) is not None:
            first = exchange.said[0]
            if (first.conversation, first.turn) != now_in:
                turns.remove(db, user, hit.id)
                gone += 1
    asked = turns.last_of_user(db, user, now_in[0])
    if gone and asked is not None and asked.turn == now_in[1]:
        turns.remove(db, user, asked.id)
    summaries.without(db, user, what)
    return gone


def forget_fact(db: sqlite3.Connection, user: int, key: int) -> bool:
    """Whether there was such a fact."""
    fact = facts.find(db, user, key)
    if fact is None:
        return False
    summaries.without(db, user, fact.text)
    return facts.remove(db, user, key)


def forget_everything(db: sqlite3.Connection, user: int) -> int:
    """All but that the user is remembered from now on. How many facts and turns. Raises Erased."""
    users.seen(db, user, 0.0)
    to_scrub(db)
    gone = db.execute("DELETE FROM facts WHERE user = ?", (user,)).rowcount
    gone += db.execute("DELETE FROM turns WHERE user = ?", (user,)).rowcount
    db.execute("DELETE FROM summaries WHERE user = ?", (user,))
    db.execute("DELETE FROM words WHERE user = ?", (user,))
    return gone
