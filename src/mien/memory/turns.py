"""What was said, in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from mien.memory import users, word_index
from mien.memory.chores import to_scrub

Role = Literal["user", "assistant"]
# Of one message; a presenter speaks an hour for it.
MOST_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Said:
    """conversation, turn: which exchange it belongs to. complete: False for an answer that was cut
    off; text is then what was heard of it. at: Unix seconds. id: 0 until it is in the store."""

    conversation: str
    turn: int
    role: Role
    text: str
    complete: bool
    at: float
    id: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, or half of it."""

    said: tuple[Said, ...]

    @property
    def at(self) -> float:
        return self.said[0].at


_COLUMNS = "conversation, turn, role, text, complete, at, id"


def add(db: sqlite3.Connection, user: int, said: Said) -> int:
    """Its id. The user was here when it was said. Raises Erased."""
    users.seen(db, user, said.at)
    return enter(db, user, said)


def enter(db: sqlite3.Connection, user: int, said: Said) -> int:
    """``add``, for what was not said here."""
    added = db.execute(
        f"INSERT INTO turns(user, {_COLUMNS.removesuffix(', id')}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user, said.conversation, said.turn, said.role, said.text, said.complete, said.at),
    )
    key = int(added.lastrowid or 0)
    word_index.add(db, user, "turn", key, said.text)
    return key


def newest(
    db: sqlite3.Connection, user: int, limit: int, but: str = "", since: float = 0.0
) -> list[Exchange]:
    """The last exchanges, the oldest first, without those of the conversation ``but`` and those
    that ended at ``since`` or before."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM turns WHERE user = ? AND at > ? AND conversation != ?"
        " ORDER BY at DESC, id DESC LIMIT ?",
        (user, since, but, 2 * limit),
    ).fetchall()
    return exchanges(_said(row) for row in reversed(rows))[-limit:]


def after(db: sqlite3.Connection, user: int, since: float, limit: int) -> list[Exchange]:
    """The first exchanges later than ``since``, the oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM turns WHERE user = ? AND at > ? ORDER BY at, id LIMIT ?",
        (user, since, 2 * limit),
    )
    return exchanges(map(_said, rows))[:limit]


def exchange(db: sqlite3.Connection, user: int, key: int) -> Exchange | None:
    """The one that the turn ``key`` of the user is part of."""
    which = db.execute(
        "SELECT conversation, turn FROM turns WHERE id = ? AND user = ?", (key, user)
    ).fetchone()
    if which is None:
        return None
    rows = db.execute(  # +: or SQLite goes through all that the user ever said, in order
        f"SELECT {_COLUMNS} FROM turns WHERE user = ? AND conversation = ? AND turn = ?"
        " ORDER BY +at, +id",
        (user, *which),
    )
    return Exchange(tuple(map(_said, rows)))


def last_of_user(db: sqlite3.Connection, user: int, conversation: str) -> Said | None:
    """What the user said last in this conversation."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM turns WHERE user = ? AND conversation = ? AND role = 'user'"
        " ORDER BY turn DESC, id DESC LIMIT 1",
        (user, conversation),
    ).fetchone()
    return None if row is None else _said(row)


def remove(db: sqlite3.Connection, user: int, key: int) -> None:
    """The whole exchange: an answer repeats what was asked."""
    to_scrub(db)
    found = exchange(db, user, key)
    for said in found.said if found else ():
        word_index.remove(db, user, "turn", said.id, said.text)
        db.execute("UPDATE facts SET said = '' WHERE source = ?", (said.id,))
        db.execute("DELETE FROM turns WHERE id = ? AND user = ?", (said.id, user))


def every(db: sqlite3.Connection, user: int) -> list[Said]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM turns WHERE user = ? ORDER BY at, id", (user,))
    return [_said(row) for row in rows]


def exchanges(said: Iterable[Said]) -> list[Exchange]:
    """Neighbours of the same turn, together."""
    groups = groupby(said, key=lambda one: (one.conversation, one.turn))
    return [Exchange(tuple(group)) for _, group in groups]


def _said(row: tuple[str, int, Role, str, int, float, int]) -> Said:
    conversation, turn, role, text, complete, at, key = row
    return Said(conversation, turn, role, text, bool(complete), at, key)
