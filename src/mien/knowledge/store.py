"""A base: documents, their chunks and the vectors of these, in one file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mien.knowledge.fingerprint import fingerprint
from mien.knowledge.reading import READER, Document, File
from mien.knowledge.schema import opened, unusable
from mien.retrieval.contract import Chunk

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Stored:
    """A document in a base. path: where it was read from. named: whether its owner gave the title.
    added: ISO 8601, UTC. bytes: of the file. reader: version of what read it. chunks: how many.
    """

    id: int
    path: str
    sha256: str
    title: str
    named: bool
    url: str
    kind: str
    language: str
    bytes: int
    added: str
    reader: int
    chunks: int


_STORED = (
    "SELECT id, path, sha256, title, named, url, kind, language, bytes, added, reader, "
    "(SELECT count(*) FROM placements WHERE document = documents.id) FROM documents"
)


class Base:
    """One base, for one thread; other threads and processes may have it open, too. Close it, or use
    it in a ``with`` statement. All methods raise KnowledgeError when the file cannot be used.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Raises KnowledgeError when it is not there and not to be made."""
        self.path = path
        self._db = opened(path, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def documents(self) -> list[Stored]:
        """In the order they were added in."""
        with self._reading() as db:
            return [_stored(row) for row in db.execute(f"{_STORED} ORDER BY id")]

    def same(self, file: File) -> Stored | None:
        """The document with the very content of a file, wherever it was read from."""
        with self._reading() as db:
            row = db.execute(f"{_STORED} WHERE sha256 = ?", (file.sha256,)).fetchone()
        return _stored(row) if row else None

    def at(self, path: Path) -> Stored | None:
        """The document that was read from there."""
        with self._reading() as db:
            row = db.execute(f"{_STORED} WHERE path = ?", (str(path),)).fetchone()
        return _stored(row) if row else None

    def put(self, file: File, document: Document) -> int:
        """Add a document, in place of those that had its path or its content. Returns its id.

        When it returns, it is on the disk, whatever happens; until then the base is as it was.
        """
        row: dict[str, Any] = {
            "path": str(file.path),
            "sha256": file.sha256,
            "title": document.title,
            "named": bool(file.title),
            "url": file.url,
            "kind": document.kind,
            "language": document.language,
            "bytes": len(file.data),
            "added": datetime.now(UTC).isoformat(timespec="seconds"),
            "reader": READER,
        }
        with self._changing() as db:
            replaced = db.execute(
                "DELETE FROM documents WHERE path = :path OR sha256 = :sha256 RETURNING id", row
            ).fetchall()
            row["id"] = min((number for (number,) in replaced), default=None)
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            added = db.execute(f"INSERT INTO documents ({names}) VALUES ({values})", row).lastrowid
            assert added is not None  # SQLite numbers every row
            _place(db, added, document.chunks)
            _sweep(db)
        return added

    def remove(self, number: int) -> None:
        """Delete a document and what only it has, overwriting its words in the file."""
        with self._changing() as db:
            db.execute("DELETE FROM documents WHERE id = ?", (number,))
            _sweep(db)
        with self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or else they stay in the journal

    def chunks(self, document: int | None = None) -> list[tuple[int, Chunk]]:
        """Those of a document; or all, each once, as the first document that has it has it. With
        their numbers, in order.
        """
        only = "" if document is None else "WHERE document = :document"
        once = "GROUP BY chunk" if document is None else ""
        with self._reading() as db:
            rows = db.execute(
                # Of the columns besides min(), SQLite takes those of the row that has it.
                "SELECT chunk, text, documents.title, heading, placed.url, documents.url, place, "
                f"asked FROM (SELECT *, {'min(document)' if once else 'document'} AS first "
                f"FROM placements {only} {once}) AS placed "
                "JOIN chunks ON chunks.id = chunk JOIN documents ON documents.id = first "
                "ORDER BY first, position",
                {"document": document},
            ).fetchall()
        return [
            (
                number,
                Chunk(text, title, _texts(heading), own or url, place, _texts(asked)),
            )
            for number, text, title, heading, own, url, place, asked in rows
        ]

    def without_vector(self, model: str) -> list[tuple[int, Chunk]]:
        """The chunks that a model has not seen."""
        with self._reading() as db:
            rows = db.execute("SELECT chunk FROM embeddings WHERE model = ?", (model,))
            seen = {number for (number,) in rows}
        return [(number, chunk) for number, chunk in self.chunks() if number not in seen]

    def put_vectors(self, model: str, vectors: Mapping[int, Vectors]) -> None:
        """Keep float32[d] of these chunks; those that are gone meanwhile are left out."""
        rows = [
            (model, vector.astype("<f4").tobytes(), number) for number, vector in vectors.items()
        ]
        with self._changing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO embeddings (model, vector, chunk) "
                "SELECT ?, ?, id FROM chunks WHERE id = ?",
                rows,
            )

    def vectors(self, model: str) -> dict[int, Vectors]:
        """float32[d] of each chunk that has one."""
        with self._reading() as db:
            rows = db.execute("SELECT chunk, vector FROM embeddings WHERE model = ?", (model,))
            return {number: np.frombuffer(vector, "<f4") for number, vector in rows}

    def models(self) -> dict[str, int]:
        """Which models have made vectors, and of how many chunks."""
        with self._reading() as db:
            return dict(db.execute("SELECT model, count(*) FROM embeddings GROUP BY model"))

    def revision(self) -> int:
        """Another with every change, and in every base."""
        with self._reading() as db:
            return int(db.execute("SELECT number FROM revision").fetchone()[0])

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._db
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                # Counted, two copies that were changed apart could have the same.
                db.execute("UPDATE revision SET number = random()")
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # SQLite itself gives up some
                    db.execute("ROLLBACK")
                raise


def _stored(row: tuple[Any, ...]) -> Stored:
    stored = Stored(*row)
    return replace(stored, named=bool(stored.named))


def _place(db: sqlite3.Connection, document: int, chunks: Sequence[Chunk]) -> None:
    for position, chunk in enumerate(chunks):
        key = fingerprint(chunk)
        db.execute(
            "INSERT INTO chunks (fingerprint, text, heading) VALUES (?, ?, ?) "
            # Corrected punctuation is kept, too.
            "ON CONFLICT (fingerprint) DO UPDATE SET text = excluded.text, "
            "heading = excluded.heading",
            (key, chunk.text, _json(chunk.heading)),
        )
        db.execute(
            "INSERT INTO placements (document, position, chunk, place, url, asked) "
            "SELECT ?, ?, id, ?, ?, ? FROM chunks WHERE fingerprint = ?",
            (document, position, chunk.place, chunk.url, _json(chunk.asked), key),
        )


def _json(texts: Sequence[str]) -> str:
    return json.dumps(texts, ensure_ascii=False)


def _texts(written: str) -> tuple[str, ...]:
    return tuple(json.loads(written))


def _sweep(db: sqlite3.Connection) -> None:
    """Chunks that no document has any more go, and their vectors with them."""
    db.execute("DELETE FROM chunks WHERE id NOT IN (SELECT chunk FROM placements)")
