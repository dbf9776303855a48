"""Users in the store: who there is, and how they go."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mien.language import Language
from mien.memory.chores import to_scrub
from mien.memory.errors import Erased


@dataclass(frozen=True, slots=True)
class User:
    """hash: see ``mien.memory.store.user_of``. created, last_seen: Unix seconds. turns: messages of
    both sides. facts: that hold."""

    id: int
    hash: str
    created: float
    last_seen: float
    language: Language
    turns: int
    facts: int


def enter(db: sqlite3.Connection, user: str, language: Language, now: float) -> int:
    """The id of a user, known or new, who is here now."""
    db.execute(
        "INSERT INTO users(hash, created, last_seen, language) VALUES (?, ?, ?, ?) "
        "ON CONFLICT(hash) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen), "
        "language = excluded.language",
        (user, now, now, language),
    )
    return int(db.execute("SELECT id FROM users WHERE hash = ?", (user,)).fetchone()[0])


def find(db: sqlite3.Connection, user: str) -> int | None:
    row = db.execute("SELECT id FROM users WHERE hash = ?", (user,)).fetchone()
    return None if row is None else int(row[0])


def seen(db: sqlite3.Connection, user: int, now: float) -> None:
    """The user is here. Raises Erased when nobody has this id any more."""
    updated = db.execute(
        "UPDATE users SET last_seen = max(last_seen, ?) WHERE id = ?", (now, user)
    ).rowcount
    if not updated:
        raise Erased


def listed(db: sqlite3.Connection, prefix: str = "") -> list[User]:
    """Those whose hash begins with ``prefix``, who was here last comes first."""
    rows = db.execute(
        "SELECT id, hash, created, last_seen, language,"
        " (SELECT count(*) FROM turns WHERE turns.user = users.id),"
        " (SELECT count(*) FROM facts WHERE facts.user = users.id AND superseded_by IS NULL)"
        " FROM users WHERE substr(hash, 1, ?) = ? ORDER BY last_seen DESC",
        (len(prefix), prefix),
    )
    return [User(*row) for row in rows]


def counts(db: sqlite3.Connection, user: int) -> tuple[int, int]:
    """How many facts that hold, and how many turns. Raises Erased."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM facts WHERE user = users.id AND superseded_by IS NULL),"
        " (SELECT count(*) FROM (SELECT DISTINCT conversation, turn FROM turns"
        " WHERE user = users.id)) FROM users WHERE id = ?",
        (user,),
    ).fetchone()
    if row is None:
        raise Erased
    return int(row[0]), int(row[1])


def erase(db: sqlite3.Connection, user: str) -> bool:
    """Whether there was one; everything of theirs goes with them."""
    gone = db.execute("DELETE FROM users WHERE hash = ?", (user,)).rowcount
    if gone:
        to_scrub(db)
    return gone > 0


def expire(db: sqlite3.Connection, before: float) -> int:
    """How many had not been here since ``before`` (Unix seconds)."""
    gone = db.execute("DELETE FROM users WHERE last_seen < ?", (before,)).rowcount
    if gone:
        to_scrub(db)
    return gone
