"""What is still to be done to the file, remembered in it: a crash must not undo an erasure."""

from __future__ import annotations

import sqlite3


def to_scrub(db: sqlite3.Connection) -> None:
    """For whoever deletes, in the same transaction; see ``MemoryStore.scrub``."""
    db.execute("INSERT INTO chores DEFAULT VALUES")


def next_chore(db: sqlite3.Connection) -> int | None:
    """The newest deletion that left its bytes behind."""
    found: int | None = db.execute("SELECT max(id) FROM chores").fetchone()[0]
    return found


def done(db: sqlite3.Connection, chore: int) -> None:
    """Up to this one; what another process deleted since is still to be done."""
    db.execute("DELETE FROM chores WHERE id <= ?", (chore,))
