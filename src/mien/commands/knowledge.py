"""``mien knowledge …``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien.commands.knowledge_add import add
from mien.commands.knowledge_search import search
from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.knowledge.store import Base, Stored

console = Console(highlight=False)

knowledge_app = typer.Typer(
    help="Your documents, which the presenter answers from. 知识库。\n\n"
    "add reads files into a base, search shows what a question would find, list, show and remove "
    "look after them. A server that runs notices.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

knowledge_app.command()(add)
knowledge_app.command()(search)

BaseOption = Annotated[str, typer.Option("--base", help="Which knowledge base. 知识库名称")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON only, for scripts. 仅输出 JSON")
]


@contextmanager
def _opened(name: str, config: Path | None) -> Iterator[Base]:
    from mien.config import ConfigError, load_settings
    from mien.knowledge.errors import KnowledgeError
    from mien.knowledge.places import base_path
    from mien.knowledge.store import Base

    try:
        with Base(base_path(load_settings(config).knowledge, name)) as base:
            yield base
    except ConfigError as error:
        raise refused(error.zh if chinese() and error.zh else str(error)) from None
    except KnowledgeError as error:
        raise refused(error) from None


@knowledge_app.command("list")
def list_(
    base: BaseOption = "default", as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Every document in a base. 列出文档。

    [bold]Examples[/]

      mien knowledge list

      mien knowledge list --base museum --json
    """
    with _opened(base, config) as opened:
        documents = opened.documents()
    if as_json:
        print(json.dumps([asdict(each) for each in documents], ensure_ascii=False, indent=2))
        return
    heads = (
        ("编号", "标题", "类型", "段落", "kB", "加入")
        if chinese()
        else ("no.", "title", "kind", "passages", "kB", "added")
    )
    table = Table(*heads)
    for each in documents:
        size = f"{each.bytes / 1000:.0f}"
        title = f"{escape(each.title)}\n[dim]{escape(each.url or each.path)}[/]"
        added = each.added.partition("T")[0]
        table.add_row(str(each.id), title, each.kind, str(each.chunks), size, added)
    console.print(table)


@knowledge_app.command()
def show(
    document: Annotated[str, typer.Argument(help="Number, title, file name or path. 编号或标题")],
    base: BaseOption = "default",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """How a document was read: its passages, as questions find them. 查看文档的段落。

    [bold]Examples[/]

      mien knowledge show 3

      mien knowledge show handbook.pdf
    """
    with _opened(base, config) as opened:
        found = _named(opened, document)
        chunks = [chunk for _, chunk in opened.chunks(found.id)]
    if as_json:
        said: dict[str, Any] = {**asdict(found), "passages": [asdict(chunk) for chunk in chunks]}
        print(json.dumps(said, ensure_ascii=False, indent=2))
        return
    console.print(f"[bold]{escape(found.title)}[/]  {escape(found.path)}", soft_wrap=True)
    for chunk in chunks:
        where = " › ".join(filter(None, (*chunk.heading, chunk.place)))
        console.print(f"\n[cyan]{escape(where or found.title)}[/]", soft_wrap=True)
        console.print(escape(chunk.text), soft_wrap=True)


@knowledge_app.command()
def remove(
    documents: Annotated[
        list[str], typer.Argument(help="Numbers, titles, file names or paths. 编号或标题")
    ],
    base: BaseOption = "default",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Forget documents; the files themselves stay. 从知识库移除文档（原文件保留）。

    [bold]Examples[/]

      mien knowledge remove 3 4

      mien knowledge remove price-list.csv --base museum
    """
    with _opened(base, config) as opened:
        found = {each.id: each for each in (_named(opened, name) for name in documents)}
        for number in found:
            opened.remove(number)
    if as_json:
        removed = [asdict(each) for each in found.values()]
        print(json.dumps(removed, ensure_ascii=False, indent=2))
        return
    for each in found.values():
        console.print(f"[green]{'已移除' if chinese() else 'removed'}[/] {escape(each.title)}")


def _named(base: Base, name: str) -> Stored:
    """The document that a person means. Raises KnowledgeError when it is none, or several."""
    from mien.knowledge.errors import KnowledgeError

    documents = base.documents()
    ways = (
        [each for each in documents if str(each.id) == name],
        [each for each in documents if each.path == str(Path(name).expanduser().resolve())],
        [each for each in documents if each.title == name],
        [each for each in documents if Path(each.path).name == name],
    )
    found = next((way for way in ways if way), [])
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(each.id) for each in found)
        raise KnowledgeError(
            f"{name!r} are several documents: {numbers}; give a number",
            f"“{name}”有多个文档：{numbers}；请给出编号",
        )
    raise KnowledgeError(
        f"there is no document {name!r} in this base: mien knowledge list --base {base.path.stem}",
        f"知识库中没有文档“{name}”：mien knowledge list --base {base.path.stem}",
    )


@knowledge_app.command()
def bases(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every base, and which are used. 列出知识库。

    Those under \\[knowledge] bases in the settings are used, "default" if nothing is set; a persona
    may have its own. 使用哪些由设置中的 \\[knowledge] bases 决定。
    """
    from mien.config import ConfigError, load_settings
    from mien.knowledge.errors import KnowledgeError
    from mien.knowledge.places import base_names, base_path
    from mien.knowledge.store import Base

    rows: list[dict[str, Any]] = []
    failed: typer.Exit | None = None
    try:
        section = load_settings(config).knowledge
    except ConfigError as error:
        raise refused(error.zh if chinese() and error.zh else str(error)) from None
    for name in base_names(section):
        try:
            with Base(base_path(section, name)) as base:
                documents = base.documents()
                row = {
                    "name": name,
                    "used": name in section.bases,
                    "documents": len(documents),
                    "passages": len(base.chunks()),
                    "embeddings": base.models(),
                    "path": str(base.path),
                }
            rows.append(row)
        except KnowledgeError as error:  # the others are told all the same
            failed = refused(error)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _print_bases(rows, failed is not None)
    if failed is not None:
        raise failed


def _print_bases(rows: list[dict[str, Any]], failed: bool) -> None:
    if not rows and failed:
        return
    if not rows:
        said = "还没有知识库：mien knowledge add 文件…" if chinese() else "No base yet: "
        console.print(said if chinese() else f"{said}mien knowledge add FILES…")
        return
    heads = (
        ("", "名称", "文档", "段落", "位置")
        if chinese()
        else ("", "name", "documents", "passages", "file")
    )
    table = Table(*heads)
    for row in rows:
        used = "[green]✓[/]" if row["used"] else "–"
        counts = (str(row["documents"]), str(row["passages"]))
        table.add_row(used, escape(str(row["name"])), *counts, escape(str(row["path"])))
    console.print(table)
