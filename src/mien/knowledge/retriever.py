"""Bases that can be asked, also while documents are added to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from loguru import logger

from mien.knowledge.errors import KnowledgeError
from mien.knowledge.places import base_path, is_there
from mien.knowledge.store import Base, Vectors
from mien.language import Language
from mien.mind_settings import KnowledgeSection
from mien.retrieval.collection import THRESHOLD, Collection
from mien.retrieval.contract import Chunk, Passage
from mien.retrieval.embeddings import Embedder
from mien.retrieval.thesaurus import thesaurus

#: Used when it is there, and no error when it is not.
DEFAULT = "default"

_Stamp = tuple[tuple[int, int, int], ...]


def open_knowledge(
    section: KnowledgeSection,
    names: Sequence[str] | None = None,
    threshold: float | None = None,
) -> Knowledge:
    """Bases as one ``Retriever``, those of the settings if None; to be closed in the end.

    Takes about a second for 5000 chunks. Raises KnowledgeError when one is not there (but for
    "default") or cannot be used, EmbeddingError when embeddings are set up wrongly.
    """
    names = section.bases if names is None else names
    paths = {name: base_path(section, name) for name in dict.fromkeys(names)}
    for name, path in paths.items():
        if name != DEFAULT and not is_there(path):
            raise KnowledgeError(
                f"there is no knowledge base {name!r}: mien knowledge add FILES… --base {name}",
                f"没有知识库“{name}”：mien knowledge add 文件… --base {name}",
            )
    embedder = Embedder(section.embeddings) if section.embeddings.base_url else None
    least = THRESHOLD if threshold is None else threshold
    return Knowledge(list(paths.values()), embedder, least)


class Knowledge:
    """A ``Retriever`` over the files of bases. Shared by all conversations; for one event loop.

    What is added to a base is found a moment later: each search looks whether the files have
    changed, and if so they are read again beside it, while the old texts still answer.
    """

    def __init__(
        self, paths: Sequence[Path], embedder: Embedder | None = None, threshold: float = THRESHOLD
    ) -> None:
        """Reads the bases; those that are not there are empty. Raises KnowledgeError."""
        self._paths = tuple(paths)
        self._embedder = embedder
        self._threshold = threshold
        self._stamp = _stamp(self._paths)
        self._revisions: dict[Path, int] = {}
        self._collection = Collection([])
        self._reading_again: asyncio.Task[None] | None = None
        self._complaint = ""  # the last that was logged
        thesaurus()  # takes a third of a second, which the first question would have to wait for
        self._read()

    def __len__(self) -> int:
        """How many chunks there are."""
        return len(self._collection)

    async def search(self, question: str, language: Language, limit: int = 4) -> list[Passage]:
        """See ``Retriever``."""
        if self._reading_again is None and _stamp(self._paths) != self._stamp:
            self._reading_again = asyncio.create_task(self._read_again())
        return await self._collection.search(question, language, limit)

    async def settled(self) -> None:
        """Wait until what was noticed to have changed is read."""
        if self._reading_again is not None:
            await asyncio.wait({self._reading_again})

    async def aclose(self) -> None:
        """Works twice."""
        await self.settled()
        if self._embedder is not None:
            await self._embedder.aclose()

    async def _read_again(self) -> None:
        stamp = _stamp(self._paths)
        try:
            await asyncio.to_thread(self._read)
        except Exception as error:  # the old texts are better than none, and the next search tries
            if str(error) != self._complaint:
                logger.warning(f"the documents could not be read again: {error}")
            self._complaint = str(error)
        else:
            self._stamp = stamp
            self._complaint = ""
        finally:
            self._reading_again = None

    def _read(self) -> None:
        """Read all bases if one has changed. May run in a thread: it puts a new collection in the
        place of the old one in the end."""
        there = [path for path in self._paths if is_there(path)]
        chunks: list[Chunk] = []
        rows: list[Vectors | None] = []
        revisions: dict[Path, int] = {}
        for path in there:
            with Base(path) as base:
                revisions[path] = base.revision()
        if revisions == self._revisions:
            return  # SQLite tidied its files
        for path in there:
            with Base(path) as base:
                revisions[path] = base.revision()
                known = base.vectors(self._embedder.name) if self._embedder else {}
                for number, chunk in base.chunks():
                    chunks.append(chunk)
                    rows.append(known.get(number))
        self._collection = self._collected(chunks, rows)
        self._revisions = revisions

    def _collected(self, chunks: list[Chunk], rows: list[Vectors | None]) -> Collection:
        """With what is known of their meaning; zeros for the chunks that nothing is known of."""
        sizes = [len(row) for row in rows if row is not None]
        if self._embedder is None or not sizes:
            return Collection(chunks, threshold=self._threshold)
        width = max(set(sizes), key=sizes.count)
        if missing := sum(row is None or len(row) != width for row in rows):
            logger.warning(
                f"{missing} of {len(rows)} passages have no embeddings and are found by words "
                "alone: run mien knowledge add on their files again"
            )
        vectors = np.zeros((len(rows), width), np.float32)
        for at, row in enumerate(rows):
            if row is not None and len(row) == width:
                vectors[at] = row
        return Collection(chunks, self._embedder, vectors, threshold=self._threshold)


def _stamp(paths: Sequence[Path]) -> _Stamp:
    """What tells that files have changed: of each base and its journal when, how much and which."""
    return tuple(_stamp_of(each) for path in paths for each in (path, Path(f"{path}-wal")))


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0, 0
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat.st_size else (0, 0, 0)
