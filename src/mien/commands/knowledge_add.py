"""``mien knowledge add``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien.commands.bar import progress_bar
from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.knowledge.adding import Outcome, State
    from mien.knowledge.files import Found
    from mien.knowledge.store import Base
    from mien.mind_settings import EmbeddingsSection

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_ZH = {
    "added": "已加入",
    "replaced": "已更新",
    "unchanged": "未变化",
    "skipped": "已跳过",
    "failed": "失败",
}
_OTHERS = 20
_COLOURS = {"added": "green", "replaced": "green", "failed": "red"}


def add(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files, or folders with all that is in them. 文件或文件夹"),
    ],
    base: Annotated[str, typer.Option("--base", help="Into this one. 知识库名称")] = "default",
    title: Annotated[
        str, typer.Option("--title", help="Of one document, as visitors see it. 标题")
    ] = "",
    url: Annotated[
        str, typer.Option("--url", help="Where visitors can read it; shown with answers. 网址")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON only, for scripts. 仅输出 JSON")
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """Read documents into a knowledge base: md, txt, pdf, docx, html, csv. 添加文档。

    A file that is there already is left alone, or replaced if it has changed: run it again
    whenever you like. What cannot be read is named, and the exit status is 1; the others are kept.
    已有且未变的文件会跳过，改动过的会更新；读不了的会说明原因，其余照常保留。

    A sheet with the columns question and answer (问题, 答案) is read as such.
    含“问题”“答案”列的表格按问答读取。

    [bold]Examples[/]

      mien knowledge add handbook.pdf faq.csv

      mien knowledge add docs/ --base museum

      mien knowledge add tickets.md --title "Tickets" --url https://museum.example/tickets

      mien knowledge search "when do you open?"      what it would find now
    """
    from mien.config import ConfigError, load_settings
    from mien.knowledge.errors import KnowledgeError
    from mien.knowledge.files import find_files
    from mien.knowledge.places import base_path
    from mien.knowledge.store import Base

    try:
        section = load_settings(config).knowledge
        found = find_files(files)
        if (title or url) and len(found) != 1:
            raise KnowledgeError(
                f"--title and --url are for one document, not for {len(found)}",
                f"--title 和 --url 只能用于一个文档，现在有 {len(found)} 个",
            )
        with Base(base_path(section, base), create=True) as opened:
            outcomes = _read(opened, found, title, url, as_json)
            embedded = _embed(opened, section.embeddings, as_json)
    except ConfigError as error:
        raise refused(error.zh if chinese() and error.zh else str(error)) from None
    except KnowledgeError as error:
        raise refused(error) from None
    if as_json:
        said = {
            "base": base,
            "documents": [_as_json(outcome) for outcome in outcomes],
            "embeddings": embedded,
        }
        print(json.dumps(said, ensure_ascii=False, indent=2))
    else:
        _print(base, outcomes)
        if embedded is not None and embedded["why"]:
            errors.print(f"[bold red]mien:[/] {escape(embedded['why'][_language()])}")
    failed = any(outcome.state == "failed" for outcome in outcomes)
    raise typer.Exit(1 if failed or (embedded and embedded["why"]) else 0)


def _language() -> str:
    return "zh" if chinese() else "en"


def _read(base: Base, found: list[Found], title: str, url: str, quiet: bool) -> list[Outcome]:
    from mien.knowledge.adding import Outcome, add_file
    from mien.knowledge.files import shown

    outcomes = []
    with progress_bar(errors) as progress:
        bar = progress.add_task("", total=max(len(found), 1), visible=not quiet)
        for each in found:
            progress.update(bar, description=escape(shown(Path(each.path.name))))
            if each.why_not is not None:
                state: State = "failed" if each.failed else "skipped"
                outcomes.append(Outcome(each.path, state, why=each.why_not))
            else:
                outcomes.append(add_file(base, each.path, title, url))
            progress.advance(bar)
    return outcomes


def _embed(base: Base, section: EmbeddingsSection, quiet: bool) -> dict[str, Any] | None:
    """Also those that an earlier run has left. None where there is no service for it."""
    if section.base_url is None:
        return None
    from mien.knowledge.adding import embed_missing
    from mien.retrieval.embeddings import Embedder, EmbeddingError

    what = "计算向量" if chinese() else "embeddings"

    async def embed() -> int:
        embedder = Embedder(section)
        try:
            with progress_bar(errors) as progress:
                bar = progress.add_task(what, total=1, visible=not quiet)
                return await embed_missing(
                    base, embedder, lambda done, of: progress.update(bar, completed=done, total=of)
                )
        finally:
            await embedder.aclose()

    try:
        computed, why = asyncio.run(embed()), None
    except EmbeddingError as error:
        en = f"{error} The documents are kept; run the command again for what is missing."
        zh = f"{error.zh} 文档已保存；重新运行命令即可补上缺少的向量。"
        computed, why = None, {"en": en, "zh": zh}
    return {"model": section.model, "computed": computed, "why": why}


def _as_json(outcome: Outcome) -> dict[str, Any]:
    from mien.knowledge.files import shown

    why = outcome.why
    return {
        "path": shown(outcome.path),
        "state": outcome.state,
        "title": outcome.title,
        "id": outcome.id,
        "passages": outcome.chunks,
        "notes": [{"en": en, "zh": zh} for en, zh in outcome.notes],
        "why": {"en": why.en, "zh": why.zh} if why else None,
    }


def _told(outcomes: list[Outcome]) -> list[Outcome]:
    """All that something was done with, and a few of the others."""
    others = [outcome for outcome in outcomes if outcome.state in ("skipped", "unchanged")]
    left_out = set(map(id, others[_OTHERS:]))
    return [outcome for outcome in outcomes if id(outcome) not in left_out]


def _print(base: str, outcomes: list[Outcome]) -> None:
    from mien.knowledge.files import shown

    heads = ("", "文件", "段落", "说明") if chinese() else ("", "file", "passages", "notes")
    table = Table(*heads)
    for outcome in _told(outcomes):
        colour = _COLOURS.get(outcome.state, "dim")
        state = _ZH[outcome.state] if chinese() else outcome.state
        why = outcome.why
        said = [zh if chinese() else en for en, zh in outcome.notes]
        said += [why.zh if chinese() else why.en] if why else []
        chunks = str(outcome.chunks) if outcome.chunks else ""
        notes = escape("; ".join(said))
        name = escape(shown(Path(outcome.path.name)))
        table.add_row(f"[{colour}]{state}[/]", name, chunks, notes)
    console.print(table)
    counts = {state: sum(o.state == state for o in outcomes) for state in _ZH}
    said = [f"{_ZH[s] if chinese() else s} {n}" for s, n in counts.items() if n]
    into = f"知识库 {base}：" if chinese() else f"base {base}: "
    nothing = "没有文件" if chinese() else "no files"
    console.print(escape(into + (", ".join(said) or nothing)))
