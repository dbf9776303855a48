"""``mien search``: what the presenter would find, and who finds it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from loguru import logger
from rich.console import Console
from rich.markup import escape

from mien.commands.words import chinese, errors
from mien.config import Settings
from mien.language import detect_language
from mien.pages.reader import PageReader
from mien.search.contract import Result
from mien.search.excerpts import excerpts
from mien.search.tool import told
from mien.search.web_search import Found, WebSearch
from mien.tools.contract import ToolContext

_SNIPPET_CHARS = 200


def search_web(settings: Settings, query: str, read: bool, as_json: bool) -> None:
    """Print what is found; with ``read``, also the passages of it that a model would be shown.

    Raises ConfigError, and SearchError when nobody answers.
    """
    started = time.perf_counter()
    found, passages = asyncio.run(_look(settings, query, read))
    took = time.perf_counter() - started
    if as_json:
        print(json.dumps(_as_json(found, passages), ensure_ascii=False, indent=2))
        return
    zh = chinese()
    for name, error in found.failures.items():
        why = ("没有找到结果" if zh else "found nothing") if error is None else None
        why = why or (error.zh if zh and error else str(error))
        errors.print(f"[yellow]{escape(name)}:[/] {escape(why)}", soft_wrap=True)
    console = Console(highlight=False)
    if not found.results:
        console.print(f"{found.provider}: " + ("没有找到结果" if zh else "nothing found"))
        return
    count = len(found.results)
    console.print(
        f"[green]{escape(found.provider)}[/]: "
        + (f"{count} 个结果，用时 {took:.1f} 秒" if zh else f"{count} results in {took:.1f} s")
    )
    for result in found.results:
        _show(console, result)
    if passages is not None:
        console.print(
            "\n[bold]" + ("提供给模型的内容" if zh else "What a model is shown") + "[/]\n"
        )
        console.print(escape(passages), soft_wrap=True)


async def _look(settings: Settings, query: str, read: bool) -> tuple[Found, str | None]:
    section = settings.search
    search = WebSearch(section, settings.llm)
    try:
        language = detect_language(query, settings.language or "zh")
        found = await search.search(query, language)
    finally:
        await search.aclose()
    if not read or not found.results:
        return found, None
    reader = PageReader(section)
    # While people talk nobody needs to know which page was not read, and why. Here one asks for it.
    telling = logger.add(
        sys.stderr,
        format="{message}",
        level="INFO",
        filter=lambda record: record["name"] == reader.__module__ and record["level"].no < 30,
    )
    try:
        chosen = await excerpts(found.results, reader, section.deadline_sec, section.tokens, query)
    finally:
        logger.remove(telling)
        await reader.aclose()
    return found, told(chosen, ToolContext(language, query))


def _show(console: Console, result: Result) -> None:
    about = " · ".join(filter(None, (result.site, result.published)))
    console.print(f"\n[bold]{escape(result.title)}[/]  [dim]{escape(about)}[/]", soft_wrap=True)
    console.print(f"[blue]{escape(result.url)}[/]", soft_wrap=True)
    snippet = (result.snippet or result.content)[:_SNIPPET_CHARS]
    if snippet:
        console.print(escape(snippet))


def _as_json(found: Found, passages: str | None) -> dict[str, Any]:
    return {
        "provider": found.provider,
        "results": [asdict(result) for result in found.results],
        "failures": {
            name: {"en": str(error), "zh": error.zh} if error else None
            for name, error in found.failures.items()
        },
        "passages": passages,
    }
