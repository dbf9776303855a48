"""Facts about a user, in the store: where each is from, and which of them still hold."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from mien.memory import turns, users, word_index
from mien.memory.chores import to_scrub
from mien.memory.words import one_line

Kind = Literal[
    "name", "called", "age", "birthday", "origin", "home", "work",
    "like", "dislike", "relation", "health", "other",
]  # fmt: skip
How = Literal["said", "tool", "summary"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Of these there is one; of the others one about each thing.
SINGLE = frozenset({"name", "called", "age", "birthday", "origin", "home"})
MAX_CHARS = 300


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be new. about: a word or two for what the fact is about; a newer fact
    about the same takes its place. said: the words it comes from. source: the turn of them."""

    text: str
    kind: Kind
    how: How
    at: float
    said: str = ""
    source: int | None = None
    about: str = ""

    @property
    def slot(self) -> str:
        """ "" for a fact that no other one contradicts."""
        if self.kind in SINGLE:
            return self.kind
        # Who likes what they disliked has changed their mind.
        group = "taste" if self.kind in ("like", "dislike") else self.kind
        about = plain(self.about)[:MAX_CHARS]
        return f"{group}:{about}" if about else ""


@dataclass(frozen=True, slots=True)
class Fact:
    """source: id of the turn it comes from, None when that is gone. said: the words. superseded_by:
    the fact that holds instead."""

    id: int
    text: str
    kind: Kind
    slot: str
    source: int | None
    said: str
    how: How
    at: float
    superseded_by: int | None


_COLUMNS = "id, text, kind, slot, source, said, how, at, superseded_by"


def plain(text: str) -> str:
    """What two ways of writing the same have in common."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def add(db: sqlite3.Connection, user: int, new: Candidate, most: int) -> Literal["new", "known"]:
    """Remember it, in place of what it contradicts, unless that is newer; of more than ``most``
    the oldest go.

    Raises Erased; ValueError for a fact without words.
    """
    text = one_line(new.text, MAX_CHARS)
    if not plain(text):
        raise ValueError("a fact needs words")
    users.seen(db, user, 0.0)
    known = db.execute(
        "SELECT 1 FROM facts WHERE user = ? AND plain = ? AND superseded_by IS NULL LIMIT 1",
        (user, plain(text)),
    ).fetchone()
    if known is not None:
        return "known"
    added = db.execute(
        "INSERT INTO facts(user, text, plain, kind, slot, source, said, how, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            user, text, plain(text), new.kind, new.slot, new.source,
            one_line(new.said, MAX_CHARS), new.how, new.at,
        ),
    )  # fmt: skip
    key = int(added.lastrowid or 0)
    word_index.add(db, user, "fact", key, text)
    if new.slot:
        db.execute(
            "UPDATE facts SET superseded_by = ?1 WHERE user = ?2 AND slot = ?3 AND id != ?1"
            " AND superseded_by IS NULL AND at <= ?4",
            (key, user, new.slot, new.at),
        )
        db.execute(  # what a model finds in what was said a while ago may be outdated by now
            "UPDATE facts SET superseded_by = newer.id FROM (SELECT id FROM facts WHERE user = ?2"
            " AND slot = ?3 AND id != ?1 AND superseded_by IS NULL) AS newer WHERE facts.id = ?1",
            (key, user, new.slot),
        )
    _keep(db, user, most)
    return "new"


def holding(db: sqlite3.Connection, user: int, limit: int = -1) -> list[Fact]:
    """Those that are not superseded, the newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM facts WHERE user = ? AND superseded_by IS NULL"
        " ORDER BY at DESC, id DESC LIMIT ?",
        (user, limit),
    )
    return [Fact(*row) for row in rows]


def every(db: sqlite3.Connection, user: int) -> list[Fact]:
    """Superseded ones too, the oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM facts WHERE user = ? ORDER BY at, id", (user,))
    return [Fact(*row) for row in rows]


def find(db: sqlite3.Connection, user: int, key: int) -> Fact | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM facts WHERE user = ? AND id = ?", (user, key)
    ).fetchone()
    return None if row is None else Fact(*row)


def remove(db: sqlite3.Connection, user: int, key: int) -> bool:
    """Forget it for good, with what it superseded and the exchanges that all of it comes from.

    Whether there was such a fact.
    """
    if find(db, user, key) is None:
        return False
    to_scrub(db)
    for source in _delete(db, user, key):
        if source is not None:
            turns.remove(db, user, source)
    return True


def _delete(db: sqlite3.Connection, user: int, key: int) -> list[int | None]:
    """It and what it superseded. The sources of all of them; none when it was gone already."""
    chain = db.execute(
        "WITH RECURSIVE chain(id) AS (VALUES (?) UNION"
        " SELECT facts.id FROM facts JOIN chain ON superseded_by = chain.id)"
        " SELECT facts.id, facts.source, facts.text FROM facts JOIN chain USING (id)",
        (key,),
    ).fetchall()
    for fact, _, text in chain:
        word_index.remove(db, user, "fact", fact, text)
    db.execute("DELETE FROM facts WHERE id = ?", (key,))  # ON DELETE CASCADE takes the others
    return [source for _, source, _ in chain]


def _keep(db: sqlite3.Connection, user: int, most: int) -> None:
    """At most so many, superseded ones first to go."""
    (there,) = db.execute("SELECT count(*) FROM facts WHERE user = ?", (user,)).fetchone()
    if there <= most:
        return
    surplus = db.execute(
        "SELECT id FROM facts WHERE user = ? ORDER BY superseded_by IS NULL, at, id LIMIT ?",
        (user, there - most),
    ).fetchall()
    for (key,) in surplus:
        if there > most:
            there -= len(_delete(db, user, key))
