"""The file of a base: SQLite, so that a process that is killed leaves nothing half."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from mien.knowledge.errors import KnowledgeError
from mien.knowledge.places import is_there

#: In ``PRAGMA user_version``. A chunk is kept once, however many documents have it.
VERSION = 1
_APPLICATION = 0x6D69656E  # "mien", in ``PRAGMA application_id``
_BUSY_SEC = 30.0
_OWN_TABLE = "documents"
_MEMORIES = frozenset({"facts", "turns"})  # mien.memory has the same application id

# By https://sqlite.org/rescode.html. Only what is damaged may be deleted.
_ADVICE = {
    sqlite3.SQLITE_BUSY: (
        "Another program is writing into it; try again when that is done.",
        "其他程序正在写入，请等它完成后重试。",
    ),
    sqlite3.SQLITE_READONLY: ("Make it and its folder writable.", "请把文件及其文件夹设为可写。"),
    sqlite3.SQLITE_CANTOPEN: (
        "Look whether it and its folder may be read and written.",
        "请检查文件及其文件夹的读写权限。",
    ),
    sqlite3.SQLITE_FULL: ("Make room on the disk.", "请清理磁盘空间。"),
    **dict.fromkeys(
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        (
            "If it is damaged, delete it and add the documents again.",
            "如已损坏，请删除后重新添加文档。",
        ),
    ),
}

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
INSERT INTO revision VALUES (random());
"""


def opened(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection of its own, for one thread. Transactions are begun by hand.

    Raises KnowledgeError when it is not there (and not to be made), is no base, is damaged, or was
    made by a newer version.
    """
    if create:
        _make_folder(path.parent)
    elif not is_there(path):
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
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    en, zh = _ADVICE.get(code, ("", ""))
    return KnowledgeError(
        f"the knowledge base {path} cannot be used: {error}. {en}".rstrip(),
        f"知识库 {path} 无法使用：{error}。{zh}",
    )


def _another(path: Path, tables: set[str]) -> KnowledgeError:
    """The file is somebody's, who would not like it to be deleted."""
    if tables >= _MEMORIES:
        return KnowledgeError(
            f"{path} is no knowledge base: it has what mien remembers of its users (memory.file). "
            "Leave it there; set folder under [knowledge] to another folder, or memory.file.",
            f"{path} 不是知识库，而是 mien 的用户记忆（memory.file），请勿删除；"
            "请把 [knowledge] 的 folder 或 memory.file 设到别处。",
        )
    return KnowledgeError(
        f"{path} is no knowledge base: it was not made by mien. Give the base another name, or set "
        "folder under [knowledge] to another folder.",
        f"{path} 不是知识库，不是由 mien 创建的；请换一个知识库名称，"
        "或把 [knowledge] 的 folder 设到别处。",
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    # In this order: another process may be making them, all at once.
    tables = _tables(connection)
    if _version(connection) == 0:
        if tables:
            raise _another(path, tables)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not _tables(connection):  # nobody else was quicker
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    version, tables = _version(connection), _tables(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != _APPLICATION or _OWN_TABLE not in tables:
        raise _another(path, tables)
    if version > VERSION:
        raise KnowledgeError(
            f"the knowledge base {path} was made by a newer mien (format {version}, this one knows "
            f"{VERSION}): update mien",
            f"知识库 {path} 由更新版本的 mien 创建（格式 {version}，"
            f"本机支持 {VERSION}）：请升级 mien",
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
