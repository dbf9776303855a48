"""Adds files to a base, and computes what their chunks mean where there is a service for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mien.knowledge.errors import KnowledgeError
from mien.knowledge.files import shown
from mien.knowledge.reading import READER, File, load, read
from mien.knowledge.store import Base, Stored
from mien.retrieval.contract import Chunk
from mien.retrieval.embeddings import Embedder

State = Literal["added", "replaced", "unchanged", "skipped", "failed"]
# Kept after each, so that little is computed again when it is interrupted.
_BATCH = 128
_NOT_UTF8 = KnowledgeError(
    "has a name that is not in UTF-8 (it, or its folder); rename it, e.g. with convmv",
    "文件名或文件夹名不是 UTF-8 编码；请重命名，例如用 convmv",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. id: of its document. notes: what its owner should know, (en, zh).
    why: why it was skipped, or failed.
    """

    path: Path
    state: State
    title: str = ""
    id: int | None = None
    chunks: int = 0
    notes: tuple[tuple[str, str], ...] = ()
    why: KnowledgeError | None = None


def add_file(base: Base, path: Path, title: str = "", url: str = "") -> Outcome:
    """Read a file into a base unless it is there already; what is wrong with it is in the outcome.

    title, url: "" for what it was called before, or what it calls itself. Raises KnowledgeError
    only when the base cannot be used.
    """
    if shown(path) != str(path):
        return Outcome(path, "failed", why=_NOT_UTF8)
    old = base.at(path)
    if old is not None:
        title, url = title or (old.title if old.named else ""), url or old.url
    try:
        file = load(path, title, url)
        known = base.same(file)
        if known is not None and _is_the_same(known, old, file):
            return Outcome(
                path, "unchanged", known.title, known.id, known.chunks, _elsewhere(known, path)
            )
        if known is not None and old is None:  # it was moved
            given = file.title or (known.title if known.named else "")
            file = replace(file, title=given, url=file.url or known.url)
        document = read(file)
    except KnowledgeError as error:
        return Outcome(path, "failed", why=error)
    number = base.put(file, document)
    state: State = "added" if old is None and known is None else "replaced"
    return Outcome(path, state, document.title, number, len(document.chunks), document.notes)


def _is_the_same(known: Stored, old: Stored | None, file: File) -> bool:
    """Whether nothing would be gained by reading it again."""
    if old is not None and old.id != known.id:
        return False  # what was at this path is so no more
    if old is None and not os.path.exists(known.path):
        return False
    as_named = (file.title or known.title, file.url or known.url) == (known.title, known.url)
    return as_named and known.reader == READER


def _elsewhere(known: Stored, path: Path) -> tuple[tuple[str, str], ...]:
    if known.path == str(path):
        return ()
    return ((f"the same as {known.path}", f"与 {known.path} 内容相同"),)


def text_to_embed(chunk: Chunk) -> str:
    """What a chunk means depends on what it stands under."""
    return "\n".join((chunk.title, *chunk.heading, chunk.text))


async def embed_missing(
    base: Base, embedder: Embedder, on_done: Callable[[int, int], None] = lambda done, of: None
) -> int:
    """Compute the vectors that are missing; returns how many were. What was computed is kept
    whatever happens. on_done: called with how many are done and how many there are to do.

    Raises EmbeddingError, KnowledgeError.
    """
    missing = base.without_vector(embedder.name)
    on_done(0, len(missing))
    for at in range(0, len(missing), _BATCH):
        part = missing[at : at + _BATCH]
        vectors = await embedder.embed([text_to_embed(chunk) for _, chunk in part])
        numbers = (number for number, _ in part)
        base.put_vectors(embedder.name, dict(zip(numbers, vectors, strict=True)))
        on_done(at + len(part), len(missing))
    return len(missing)
