"""What earlier conversations were about, in the store: one text for each user."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mien.memory import users
from mien.memory.chores import to_scrub
from mien.memory.words import words_of

# Words that facts have in common tell nothing of what one is about.
_EVERY_FACT = (
    "name called want live come from work like love enjoy allergic years old birthday "
    "用户 名字 希望 称呼 住 住在 来自 工作 喜欢 不喜欢 过敏 生日"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """up_to: all that was said until then (Unix seconds) is in it. at: when it was written."""

    text: str = ""
    up_to: float = 0.0
    at: float = 0.0


def of(db: sqlite3.Connection, user: int) -> Summary:
    """An empty one when there is none."""
    row = db.execute("SELECT text, up_to, at FROM summaries WHERE user = ?", (user,)).fetchone()
    return Summary() if row is None else Summary(*row)


def put(db: sqlite3.Connection, user: int, summary: Summary) -> None:
    """In place of the one before. Raises Erased."""
    users.seen(db, user, 0.0)
    db.execute(
        "INSERT INTO summaries(user, text, up_to, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT(user) DO UPDATE SET text = excluded.text, up_to = excluded.up_to,"
        " at = excluded.at",
        (user, summary.text, summary.up_to, summary.at),
    )


def without(db: sqlite3.Connection, user: int, forgotten: str) -> None:
    """Drop the lines that share a word with what is forgotten: rather one too many."""
    summary = of(db, user)
    words = set(words_of(forgotten))
    telling = words - set(words_of(_EVERY_FACT))
    words = {word for word in telling if len(word) > 1} or telling or words
    lines = summary.text.splitlines()
    kept = [line for line in lines if words.isdisjoint(words_of(line))]
    if kept != lines:
        to_scrub(db)
        put(db, user, Summary("\n".join(kept), summary.up_to, summary.at))
