"""The file of a base: SQLite, so that a process that is killed leaves nothing half."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from mien.knowledge.errors import KnowledgeError

#: In ``PRAGMA user_version``. A chunk is kept once, however many documents have it.
VERSION = 1
_APPLICATION = 0x6D69656E  # "mien", in ``PRAGMA application_id``
_BUSY_SEC = 30.0

_TABLES = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    named INTEGER NOT NULL,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    language TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    added TEXT NOT NULL,
    reader INTEGER NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    text TEXT NOT NULL,
    heading TEXT NOT NULL
);
CREATE TABLE placements (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    chunk INTEGER NOT NULL REFERENCES chunks,
    place TEXT NOT NULL,
    url TEXT NOT NULL,
    asked TEXT NOT NULL,
    PRIMARY KEY (document, position)
) WITHOUT ROWID;
CREATE INDEX placements_chunk ON placements (chunk);
CREATE TABLE embeddings (
    model TEXT NOT NULL,
    chunk INTEGER NOT NULL REFERENCES chunks ON DELETE CASCADE,
    vector BLOB NOT NULL,
    PRIMARY KEY (model, chunk)
) WITHOUT ROWID;
CREATE INDEX embeddings_chunk ON embeddings (chunk);
CREATE TABLE revision (number INTEGER NOT NULL);
INSERT INTO revision VALUES (0);
"""


def opened(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection of its own, for one thread. Transactions are begun by hand.

    Raises KnowledgeError when it is not there (and not to be made), is no base, is damaged, or was
    made by a newer version.
    """
    if create:
        _make_folder(path.parent)
    elif not path.is_file():
        name = path.stem
        raise KnowledgeError(
            f"there is no knowledge base {name!r}: mien knowledge add FILES… --base {name}",
            f"没有知识库“{name}”：mien knowledge add 文件… --base {name}",
        )
    # Where nothing can be written there is nobody to agree with either, and no file for doing so.
    alone = not create and not os.access(path.parent, os.W_OK)
    address = f"{path.absolute().as_uri()}{'?immutable=1' if alone else ''}"
    try:
        connection = sqlite3.connect(address, timeout=_BUSY_SEC, isolation_level=None, uri=True)
    except sqlite3.Error as error:
        raise unusable(path, error) from None
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        _check(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise unusable(path, error) from None
    except KnowledgeError:
        connection.close()
        raise
    return connection


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise KnowledgeError(
            f"the folder {folder} cannot be made: {why}", f"无法创建文件夹 {folder}：{why}"
        ) from None


def unusable(path: Path, error: sqlite3.Error) -> KnowledgeError:
    """What SQLite says about the file of a base."""
    return KnowledgeError(
        f"the knowledge base {path} cannot be used: {error}. If it is damaged, delete it and add "
        "the documents again.",
        f"知识库 {path} 无法使用：{error}。如已损坏，请删除后重新添加文档。",
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == 0:
        if _tables(connection):
            raise unusable(path, sqlite3.DatabaseError("not made by mien"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not _tables(connection):  # nobody else was quicker
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    version = _version(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != _APPLICATION:
        raise unusable(path, sqlite3.DatabaseError("not made by mien"))
    if version > VERSION:
        raise KnowledgeError(
            f"the knowledge base {path} was made by a newer mien (format {version}, this one knows "
            f"{VERSION}): update mien",
            f"知识库 {path} 由更新版本的 mien 创建（格式 {version}，"
            f"本机支持 {VERSION}）：请升级 mien",
        )


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
