"""The SQLite file: how it is opened, and what is in it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from mien.memory.errors import MemoryStoreError

VERSION = 1
# "mien", so that `file` and we can tell it from other programs' databases.
APPLICATION_ID = 0x6D69656E
# Another process (`mien memory …`) may be writing; it is done within moments.
BUSY_SEC = 10.0

# users.hash: SHA-256 of the user's key, in hex. Ids are never used twice, so that whoever holds
# that of an erased user finds nobody instead of somebody else.
# turns: what one of the two said; both halves of an exchange have the same conversation and turn.
# facts.plain: what ways of writing the same have in common. facts.slot: of two facts with the same
# one the newer holds; "" for none.
# summaries.up_to: everything said until then is in it. All times are Unix seconds.
# words: of turns and facts, with what each weighs in its text, see mien.memory.word_index.
# chores: deletions whose bytes are still to be cleaned up.
TABLES = """
CREATE TABLE users(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    last_seen REAL NOT NULL,
    language TEXT NOT NULL
);
CREATE TABLE turns(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    conversation TEXT NOT NULL,
    turn INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    text TEXT NOT NULL,
    complete INTEGER NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX turns_by_time ON turns(user, at);
CREATE INDEX turns_by_exchange ON turns(user, conversation, turn);
CREATE TABLE facts(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    text TEXT NOT NULL,
    plain TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot TEXT NOT NULL,
    source INTEGER REFERENCES turns ON DELETE SET NULL,
    said TEXT NOT NULL,
    how TEXT NOT NULL CHECK (how IN ('said', 'tool', 'summary')),
    at REAL NOT NULL,
    superseded_by INTEGER REFERENCES facts ON DELETE CASCADE
);
CREATE INDEX facts_by_time ON facts(user, at);
CREATE INDEX facts_by_source ON facts(source);
CREATE INDEX facts_by_successor ON facts(superseded_by);
CREATE TABLE summaries(
    user INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    text TEXT NOT NULL,
    up_to REAL NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE words(
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    word TEXT NOT NULL,
    place TEXT NOT NULL CHECK (place IN ('turn', 'fact')),
    id INTEGER NOT NULL,
    weight REAL NOT NULL,
    PRIMARY KEY (user, word, place, id)
) WITHOUT ROWID;
CREATE TABLE chores(id INTEGER PRIMARY KEY AUTOINCREMENT);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any thread (one at a time).

    WAL with synchronous=NORMAL (https://sqlite.org/wal.html): a transaction that has committed
    survives the death of the process; a power cut may take the last seconds, and harms nothing
    else. Readable by its owner alone.

    Raises MemoryStoreError; whatever is wrong with the file, it is left as it is.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    try:
        db = sqlite3.connect(path, timeout=BUSY_SEC, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    try:
        _prepare(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        if isinstance(error, sqlite3.OperationalError):
            raise _unusable(path, str(error)) from error
        raise damaged(path, error) from error
    except MemoryStoreError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")
    _check(db, path)  # before anything is written into a file that may not be ours
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        if _check(db, path) == 0:  # another process may have been here meanwhile
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _check(db: sqlite3.Connection, path: Path) -> int:
    """The version of what is there, 0 for nothing yet."""
    # In this order: another process may be making them, all three at once.
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    owner = int(db.execute("PRAGMA application_id").fetchone()[0])
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if tables and (owner != APPLICATION_ID or "users" not in tables):
        raise MemoryStoreError(
            f"{path} is another program's database, or holds something else of mien's. Give "
            "memory.file another name.",
            f"{path} 是其他程序的数据库，或 mien 的其他数据，请为 memory.file 换一个文件名。",
        )
    if version > VERSION:
        raise MemoryStoreError(
            f"{path} was written by a newer mien (its version {version}, ours {VERSION}). "
            "Upgrade mien, or give memory.file another name.",
            f"{path} 由更新版本的 mien 写入（版本 {version}，当前支持 {VERSION}）。"
            "请升级 mien，或为 memory.file 换一个文件名。",
        )
    return version


def damaged(path: Path, error: Exception) -> MemoryStoreError:
    """It is never replaced by an empty one: somebody's memories may still be saved from it."""
    return MemoryStoreError(
        f"{path} is damaged ({error}). It has been left as it is. Put a backup in its place; or "
        f"save what can be read (sqlite3 {path.name} .recover); or move it away, with its -wal and "
        "-shm, to begin anew; or switch remembering off: MIEN_MEMORY__ENABLED=false.",
        f"{path} 已损坏（{error}），文件未被改动。请用备份替换；或用 sqlite3 {path.name} .recover "
        "抢救内容；或连同 -wal、-shm 一起移走以重新开始；"
        "或用 MIEN_MEMORY__ENABLED=false 关闭记忆。",
    )


def _unusable(path: Path, why: str) -> MemoryStoreError:
    return MemoryStoreError(
        f"{path} cannot be used: {why}. Set memory.file to a place that can be written, or switch "
        "remembering off: MIEN_MEMORY__ENABLED=false.",
        f"无法使用 {path}：{why}。请把 memory.file 设为可写的位置，"
        "或用 MIEN_MEMORY__ENABLED=false 关闭记忆。",
    )
