"""From pages that were found to the few passages of them that a model is shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mien.pages.contract import Page
from mien.retrieval.budget import cut
from mien.retrieval.chunking import chunks_of
from mien.retrieval.contract import Chunk
from mien.retrieval.index import Hit, Index
from mien.search.clean import host_of
from mien.search.contract import Result

# So many pages are enough to answer; the others are waited for no longer than this. Without it one
# slow page in five costs every answer the whole deadline.
_ENOUGH_PAGES = 3
_GRACE_SEC = 0.4
# Of one page: its beginning, and of the rest the lines that have a word of the question. To rank
# five pages of 40,000 Chinese characters takes 0.4 s of CPU, and somebody is waiting.
_BEGINNING_CHARS, _MOST_CHARS = 10_000, 16_000
_WORD = re.compile(r"[a-z0-9]+")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_MOST_HITS = 24
_MOST_OF_ONE_PAGE = 4
# Of what the best passage explains of the question: for the best one of a page, and for its others.
# With less, what else is on the pages fills the budget, and every token is read before the first
# word of the answer (a page of another subject has 0.03). With 0.3 for all, one passage with a rare
# word drives out the others, as the words of the query are on every page that it found.
_LEAST_OF_BEST, _LEAST_OF_OTHERS = 0.05, 0.2
_SAME_CHARS = 60
_TITLE_CHARS = 300  # it is counted in each passage


class Reader(Protocol):
    """What is needed of ``mien.pages.reader.PageReader``."""

    async def warm(self) -> None: ...
    async def read(self, urls: Sequence[str], deadline_sec: float) -> list[Page]: ...


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What of a page is shown. result: with what the page itself says of its title and day.
    passages: in the order of the page. read: whether it was, or only found.
    """

    result: Result
    passages: tuple[str, ...]
    read: bool


async def excerpts(
    results: Sequence[Result], reader: Reader, deadline_sec: float, tokens: int, question: str
) -> list[Excerpt]:
    """The passages that answer ``question``, about ``tokens`` of them, by page, the best first.

    Pages that could not be read within the deadline count with what the search service said.
    """
    # What is known already is ranked while pages come: it loads the dictionary, which takes half a
    # second the first time. In threads: a hundred chunks take 20 ms, half a tick.
    loading = asyncio.to_thread(_chosen, results, {}, tokens, question)
    pages, _ = await asyncio.gather(_read(results, reader, deadline_sec), loading)
    return await asyncio.to_thread(_chosen, results, pages, tokens, question)


async def _read(results: Sequence[Result], reader: Reader, deadline_sec: float) -> dict[str, Page]:
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_sec
    # One call for each, as a page does not say by which address it was asked for.
    tasks = {
        asyncio.create_task(reader.read([result.url], deadline_sec)): result.url
        for result in results
    }
    pages: dict[str, Page] = {}
    pending = set(tasks)
    try:
        while pending and (left := end - loop.time()) > 0:
            done, pending = await asyncio.wait(
                pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                for page in task.result():
                    pages[tasks[task]] = page
            if len(pages) >= _ENOUGH_PAGES:
                end = min(end, loop.time() + _GRACE_SEC)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return pages


def _chosen(
    results: Sequence[Result], pages: dict[str, Page], tokens: int, question: str
) -> list[Excerpt]:
    chunks: list[Chunk] = []
    for result in results:
        chunks += _chunks(result, pages.get(result.url), question)
    hits = Index(chunks).search(question, _MOST_HITS)
    if not hits:  # pages in another language than the question, say
        firsts = {chunk.url: chunk for chunk in reversed(chunks)}
        hits = [Hit(firsts[result.url], 0) for result in results if result.url in firsts]
    kept = cut(_spread(hits), tokens) or [_shortened(hit, tokens) for hit in hits[:1]]
    by_page: dict[str, list[Chunk]] = {}
    for hit in kept:
        by_page.setdefault(hit.chunk.url, []).append(hit.chunk)
    order = {id(chunk): at for at, chunk in enumerate(chunks)}
    found = {result.url: result for result in results}
    return [
        Excerpt(
            _completed(found[url], pages.get(url)),
            tuple(_text(c) for c in sorted(chosen, key=lambda c: order.get(id(c), 0))),
            url in pages,
        )
        for url, chosen in by_page.items()
    ]


def _chunks(result: Result, page: Page | None, question: str) -> list[Chunk]:
    told = result.content or result.snippet
    text = _condensed(page.text, question) if page else ""
    if told and told[:_SAME_CHARS] not in text:
        # What the service chose to show is about the query; the page may be of another day.
        text = f"{text}\n\n{told}" if text else told
    return chunks_of(text, result.title[:_TITLE_CHARS], result.url, trusted=False)


def _condensed(text: str, question: str) -> str:
    """What of a long page may matter, with its headings."""
    if len(text) <= _BEGINNING_CHARS:
        return text
    asked = question.casefold()
    words = {word for word in _WORD.findall(asked) if len(word) > 2}
    words |= {run[i : i + 2] for run in _HAN_RUN.findall(asked) for i in range(len(run) - 1)}
    at = text.rfind("\n", 0, _BEGINNING_CHARS) + 1 or _BEGINNING_CHARS
    kept, size = [text[:at]], at
    for line in text[at:].split("\n"):
        folded = line.casefold()
        if line.startswith("#") or any(word in folded for word in words):
            size += len(line)
            if size > _MOST_CHARS:
                break
            kept.append(line)
    return "\n\n".join(kept)


def _spread(hits: Sequence[Hit]) -> list[Hit]:
    """Without those that hardly matter, or would let one page speak alone."""
    most = max((hit.score for hit in hits), default=0)
    of_page: dict[str, int] = {}
    kept = []
    for hit in hits:
        before = of_page.get(hit.chunk.url, 0)
        least = (_LEAST_OF_OTHERS if before else _LEAST_OF_BEST) * most
        if hit.score >= least and before < _MOST_OF_ONE_PAGE:
            of_page[hit.chunk.url] = before + 1
            kept.append(hit)
    return kept


def _shortened(hit: Hit, tokens: int) -> Hit:
    """A character is less than a token in every language."""
    chunk = hit.chunk
    return Hit(Chunk(chunk.text[:tokens], chunk.title, chunk.heading, chunk.url), hit.score)


def _text(chunk: Chunk) -> str:
    heading = " › ".join(chunk.heading)
    return f"{heading}: {chunk.text}" if heading else chunk.text


def _completed(result: Result, page: Page | None) -> Result:
    if page is None:
        return result
    named = result.site if result.site != host_of(result.url) else ""
    return Result(
        result.title or page.title,
        result.url,
        result.snippet,
        named or page.site or host_of(page.url),
        result.published or page.published,
    )
