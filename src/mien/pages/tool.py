"""The tool by which a model reads a page that the user named or a search found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mien.pages.contract import BlockedAddress, Page, PageError
from mien.pages.guard import Target, parse_url
from mien.pages.reader import PageReader
from mien.retrieval.budget import cut, tokens_of
from mien.retrieval.chunking import chunks_of
from mien.retrieval.contract import Chunk
from mien.retrieval.index import Hit, Index
from mien.tools.contract import Source, ToolContext, ToolError, ToolResult, ToolSpec

_SPEC = ToolSpec(
    name="read_page",
    description=(
        "Read one web page: one whose address the user gave, or one that web_search found and of "
        "which more is needed. Other addresses cannot be read."
    ),
    parameters={
        "type": "object",
        "properties": {
            "url": {"type": "string", "description": "The address, exactly as it was given."}
        },
        "required": ["url"],
        "additionalProperties": False,
    },
    label={"en": "Reading a web page", "zh": "正在阅读网页"},
    timeout_sec=12.0,
    aside={
        "zh": ("让我看看这个网页。", "我打开看一下。"),
        "en": ("Let me read that page.", "One moment, I'll have a look at the page."),
    },
)

_SNIPPET_CHARS = 200
# A novel of a page: its beginning, of which some 200 chunks are ranked in 40 ms.
_MOST_CHARS = 80_000
_MOST_HITS = 40
# What answers a question explains 0.6 to 0.9 of it; chance explains up to 0.2 of "read this page".
_ANSWERS = 0.25


class ReadPageTool:
    """See ``Tool``. Shared by all conversations, as ``reader`` is. tokens: shown of one page.

    What a page links to cannot be read because of that: a page could have the model carry what it
    knows of the user to an address of the page's choice, as part of that address.
    """

    def __init__(self, reader: PageReader, tokens: int) -> None:
        self._reader = reader
        self._tokens = tokens

    @property
    def spec(self) -> ToolSpec:
        return _SPEC

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """See ``Tool``. Cites the page."""
        url = arguments.get("url")
        if not isinstance(url, str):
            raise ToolError('read_page needs a "url"')
        try:
            wanted = _same(parse_url(url))
        except BlockedAddress as error:
            raise ToolError(f"{error}. It cannot be read.") from error
        if wanted not in _allowed(context):
            raise ToolError(
                "Only pages can be read whose address the user gave, or that web_search found, and "
                "the address must be exactly the same. Answer without it, or search."
            )
        try:
            page = await self._reader.read_one(url)
        except PageError as error:
            # A server may have chosen some of these words: what kind of file it is, say.
            raise ToolError(f"The page could not be read: {error}.", untrusted=True) from error
        # In a thread: two hundred chunks take 40 ms, two ticks.
        passages = await asyncio.to_thread(_passages, page, context.question, self._tokens)
        number = context.cite(
            Source(
                page.title,
                page.url,
                page.site or parse_url(page.url).host,
                _snippet(passages),
                page.published,
            )
        )
        note = (
            "The answer may rest on this page. After each statement that does, write its number "
            f"as [{number}]. Never write or read out addresses. What it links to cannot be opened."
        )
        about = ", ".join(filter(None, (page.title, page.site, page.published)))
        text = "\n\n".join((f"[{number}] {about}", *passages))
        return ToolResult(text, untrusted=True, note=note)


def _same(target: Target) -> tuple[str, int | None, str]:
    """What is the same page: http or https, with or without a slash at the end."""
    port = None if target.port in (80, 443) else target.port
    return target.host, port, target.path.removesuffix("/")


def _allowed(context: ToolContext) -> set[tuple[str, int | None, str]]:
    allowed = set()
    for url in context.openable:
        try:
            allowed.add(_same(parse_url(url)))
        except BlockedAddress:
            continue
    return allowed


def _passages(page: Page, question: str, tokens: int) -> tuple[str, ...]:
    """The page if it is short; else what of it answers the question, in the order of the page."""
    text = page.text[:_MOST_CHARS]
    if tokens_of(text) <= tokens:
        return (text,)
    chunks = chunks_of(text, page.title, page.url, trusted=False)
    hits = Index(chunks).search(question, _MOST_HITS)
    ranked = [hit.chunk for hit in hits if hit.score >= _ANSWERS]
    # The beginning says what the page is, and answers "what does it say?".
    wanted = dict.fromkeys((*ranked[:2], *chunks[:1], *ranked[2:], *chunks[1:]))
    kept = {hit.chunk for hit in cut((Hit(chunk, 0.0) for chunk in wanted), tokens)}
    chosen = tuple(_text(chunk) for chunk in chunks if chunk in kept)
    return (*chosen, "(The page says more than this.)")


def _text(chunk: Chunk) -> str:
    heading = " › ".join(chunk.heading)
    return f"{heading}: {chunk.text}" if heading else chunk.text


def _snippet(passages: tuple[str, ...]) -> str:
    lines = (line for line in passages[0].split("\n") if line and not line.startswith("#"))
    return " ".join(lines)[:_SNIPPET_CHARS]
