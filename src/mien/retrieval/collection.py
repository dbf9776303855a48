"""Texts that can be asked: by their words, and by their meaning where there is a service for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from loguru import logger

from mien.language import Language, detect_language
from mien.retrieval.answers import answer_of
from mien.retrieval.contract import Chunk, Passage
from mien.retrieval.embeddings import Embedder, EmbeddingError, Vectors
from mien.retrieval.index import Index, Scores
from mien.retrieval.query import is_only_words, needs_of

Order = npt.NDArray[np.intp]

#: How much of a question a passage has to explain to be an answer.
THRESHOLD = 0.48
# English words are shared by more subjects: as much of a question is explained by chance.
_BY_LANGUAGE: Mapping[Language, float] = {"zh": 1.0, "en": 0.86}
# Behind the first: less is needed to be of use to a model, which reads all of them.
_FURTHER = 0.6
_OF_ONE_HEADING = 2
# Ranks are joined by Cormack, Clarke and Büttcher 2009, with their constant.
_RRF = 60
_CANDIDATES = 50
# Of what the words leave open, the most that meaning can explain: alone it is no proof, since a
# question about anything is near to something.
_MEANING = 0.6
_SAMPLE = 256
# An answer waits for this.
_EMBEDDING_SEC = 0.8


class Collection:
    """Chunks that can be asked; a ``Retriever``. Never changes; may be shared by everybody.

    vectors: float32[n, d], a row of length 1 for each chunk (zeros where there is none), as
    ``embedder`` makes them; both or neither, else ValueError.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        embedder: Embedder | None = None,
        vectors: Vectors | None = None,
        *,
        threshold: float = THRESHOLD,
    ) -> None:
        if (embedder is None) != (vectors is None):
            raise ValueError("a collection needs an embedder and its vectors, or neither")
        if vectors is not None and vectors.shape[:1] != (len(chunks),):
            raise ValueError(f"{vectors.shape} vectors for {len(chunks)} chunks")
        self._index = Index(chunks)
        self._embedder = embedder
        self._vectors = vectors
        self._usual, self._near = _similarities(vectors)
        self._threshold = threshold
        self._wordy = False  # whether it was logged that meaning has to be done without

    def __len__(self) -> int:
        return len(self._index)

    async def search(self, question: str, language: Language, limit: int = 4) -> list[Passage]:
        """See ``Retriever``."""
        needs = needs_of(question)
        if is_only_words(needs):
            return []  # "who are you": whatever has these words, it is not about them
        asked = self._index.weigh(needs)
        scores, by_words = self._index.rank(asked)
        scores *= _BY_LANGUAGE[detect_language(question, language)]
        meaning = await self._meaning(question)
        if meaning is not None:
            scores += (1 - scores) * _MEANING * meaning
        found: list[Passage] = []
        seen: set[tuple[object, ...]] = set()
        under: Counter[tuple[str, ...]] = Counter()
        for i in _order(by_words, meaning)[:_CANDIDATES]:
            chunk, score = self._index.chunks[i], float(scores[i])
            needed = self._threshold * (_FURTHER if found else 1.0)
            heading = (chunk.url, chunk.title, *chunk.heading)
            # A row of a sheet stands under each of its questions. But what the page on Berlin says
            # is news on that on Paris, be it in the same words.
            said = (chunk.text, chunk.title, chunk.place or chunk.heading)
            if score < needed or said in seen or under[heading] == _OF_ONE_HEADING:
                continue
            seen.add(said)
            under[heading] += 1
            answer = answer_of(chunk.text, asked, language)
            found.append(
                Passage(
                    chunk.text, chunk.title, score, answer, chunk.heading, chunk.url, chunk.place
                )
            )
            if len(found) == limit:
                break
        return found

    async def _meaning(self, question: str) -> Scores | None:
        """float32[n], 0…1: 0 = as near as any two chunks, 1 = as near as neighbours are."""
        if self._embedder is None or self._vectors is None or not len(self):
            return None
        try:
            async with asyncio.timeout(_EMBEDDING_SEC):
                vector = (await self._embedder.embed([question], patient=False))[0]
            if len(vector) != self._vectors.shape[1]:
                raise EmbeddingError(
                    f"a question has {len(vector)} numbers, the documents {self._vectors.shape[1]}",
                    f"问题的向量有 {len(vector)} 维，文档的有 {self._vectors.shape[1]} 维",
                )
        except (EmbeddingError, TimeoutError) as e:
            if not self._wordy:
                why = str(e) or f"no answer within {_EMBEDDING_SEC} s"
                logger.warning(f"documents are searched by their words alone: {why}")
            self._wordy = True
            return None
        self._wordy = False
        cosine = self._vectors @ vector
        scaled = (cosine - self._usual) / max(self._near - self._usual, 1e-3)
        meaning: Scores = np.clip(scaled, 0.0, 1.0).astype(np.float32)
        return meaning


def _order(by_words: Order, meaning: Scores | None) -> Order:
    """The best first."""
    if meaning is None:
        return by_words
    fused = np.zeros(len(by_words))
    for order in (by_words, np.argsort(-meaning, kind="stable")):
        fused[order] += 1 / (_RRF + 1 + np.arange(len(order)))
    return np.argsort(-fused, kind="stable")


def _similarities(vectors: Vectors | None) -> tuple[float, float]:
    """Of chunks among themselves: the median cosine, and that with the nearest. They differ between
    models (0.1 and 0.5, or 0.7 and 0.9), so nothing is near or far by itself.
    """
    if vectors is None or len(vectors) < 3:
        return 0.0, 1.0
    some = vectors[:: max(1, len(vectors) // _SAMPLE)]
    cosine = some @ some.T
    off = cosine[~np.eye(len(some), dtype=bool)].reshape(len(some), -1)
    return float(np.median(off)), float(np.median(off.max(axis=1)))
