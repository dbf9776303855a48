"""``mien knowledge search``."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.mind_settings import KnowledgeSection
    from mien.retrieval.contract import Passage

console = Console(highlight=False)


def search(
    question: Annotated[str, typer.Argument(help="As a visitor would ask it. 问题")],
    base: Annotated[
        list[str] | None,
        typer.Option("--base", help="Look into this one; several times for several. 知识库"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many passages.")] = 4,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON only, for scripts. 仅输出 JSON")
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """What a question would find, and whether that is enough for an answer. 检索测试。

    The score says how much of the question a passage explains, from 0 to 1. If none explains
    enough the question is out of scope: the presenter does not answer it from your documents. The
    exit status is 1 then. 分数表示段落能回答问题的程度；都不够时视为超出范围，退出状态为 1。

    [bold]Examples[/]

      mien knowledge search "when do you open?"

      mien knowledge search 门票多少钱 --base museum --json
    """
    from mien.config import ConfigError, load_settings
    from mien.knowledge.errors import KnowledgeError
    from mien.retrieval.embeddings import EmbeddingError

    try:
        section = load_settings(config).knowledge
        found, near = asyncio.run(_found(section, base, question, limit))
    except (ConfigError, EmbeddingError) as error:
        raise refused(error.zh if chinese() and error.zh else str(error)) from None
    except KnowledgeError as error:
        raise refused(error) from None
    if as_json:
        said = {
            "question": question,
            "in_scope": bool(found),
            "passages": [asdict(passage) for passage in found],
            "near": [asdict(passage) for passage in near],
        }
        print(json.dumps(said, ensure_ascii=False, indent=2))
    else:
        _print(found, near)
    raise typer.Exit(0 if found else 1)


async def _found(
    section: KnowledgeSection, bases: list[str] | None, question: str, limit: int
) -> tuple[list[Passage], list[Passage]]:
    """What answers it, and if nothing does what comes nearest."""
    from mien.knowledge.places import base_path
    from mien.knowledge.retriever import open_knowledge
    from mien.knowledge.schema import opened
    from mien.language import detect_language

    for name in bases or ():
        opened(base_path(section, name)).close()  # whoever names one wants to know of none
    language = detect_language(question)
    for threshold in (None, 0.0):
        knowledge = open_knowledge(section, bases, threshold)
        try:
            found = await knowledge.search(question, language, limit)
        finally:
            await knowledge.aclose()
        if found:
            return (found, []) if threshold is None else ([], found)
    return [], []


def _print(found: list[Passage], near: list[Passage]) -> None:
    zh = chinese()
    if found:
        console.print("[green]在范围内[/]" if zh else "[green]in scope[/]")
    elif near:
        said = "超出范围；最接近的是：" if zh else "out of scope; the nearest:"
        console.print(f"[yellow]{said}[/]")
    else:
        console.print(f"[yellow]{'没有找到' if zh else 'nothing found'}[/]")
    for passage in found or near:
        where = " › ".join(filter(None, (passage.title, *passage.heading, passage.place)))
        console.print(f"\n[bold]{passage.score:.2f}[/]  [cyan]{escape(where)}[/]", soft_wrap=True)
        console.print(escape(passage.text), soft_wrap=True)
        if passage.answer and found:
            said = "回答" if zh else "answer"
            console.print(f"[green]{said}:[/] {escape(passage.answer)}", soft_wrap=True)
