"""``mien personas``: which there are, what one says, a new one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien.commands.words import chinese, errors, refused

personas_app = typer.Typer(
    help="See the personas, what a model is told, and begin one of your own. 人设管理。",
    rich_markup_mode="rich",
)

Named = Annotated[str, typer.Argument(help="Persona by name, or the path of its file. 人设")]
_COLUMNS = {
    "en": ("", "name", "called", "face", "about / what is wrong"),
    "zh": ("", "名称", "称呼", "形象", "简介 / 问题"),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@personas_app.callback(invoke_without_command=True)
def personas(context: typer.Context) -> None:
    from mien.cli import quiet_logs

    quiet_logs(verbose=False)  # before libraries greet
    if context.invoked_subcommand is None:
        list_()


@personas_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts.")] = False,
) -> None:
    """Every persona there is, and what is wrong with one. 列出所有人设。

    Use one with mien run --persona NAME, persona = "NAME" in mien.toml, or in the page.
    """
    from mien.personas import Personas

    there_are = Personas()
    listed = there_are.listed()
    if as_json:
        print(json.dumps([asdict(each) for each in listed], ensure_ascii=False, indent=2))
        return
    language = "zh" if chinese() else "en"
    table = Table()
    for column in _COLUMNS[language]:
        table.add_column(column, overflow="fold")
    for each in listed:
        sign = "[green]✓[/]" if each.why_not is None else "[red]✗[/]"
        said = each.why_not or each.about
        called = escape(each.label[language])
        table.add_row(sign, each.name, called, each.avatar or "–", escape(said[language]))
    Console().print(table)
    if not any(each.own for each in listed):
        own = {
            "en": "Your own go to {}: mien personas new NAME",
            "zh": "自己的人设放在 {}：mien personas new NAME",
        }
        errors.print(own[language].format(there_are.folder), soft_wrap=True)


@personas_app.command()
def show(name: Named) -> None:
    """What a persona says and what a language model is told. 查看人设。"""
    from mien.llm.persona import PersonaError
    from mien.personas import Personas

    try:
        persona = Personas().load(name)
    except PersonaError as error:
        raise refused(error.zh if chinese() else str(error)) from None
    out = Console(highlight=False, soft_wrap=True)
    said = {
        "avatar": persona.avatar,
        "background": persona.background,
        "voice": ", ".join(persona.voice),
        "tools": ", ".join(persona.tools) or "none",
        "knowledge": ", ".join(persona.knowledge),
        "faq": ", ".join(str(file) for file in persona.faq),
    }
    for field, value in said.items():
        if value:
            out.print(f"[bold]{field}[/]: {escape(value)}")
    for language in persona.languages:
        out.print(f"\n[bold]{language}[/]: {escape(persona.greet(language))}")
        out.print(escape(persona.instruction(language)))


@personas_app.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the file: small letters, digits, - and _.")],
    like: Annotated[
        str | None, typer.Option(help="Begin with a copy of this persona. 复制现有人设")
    ] = None,
) -> None:
    """Begin a persona of your own: a file with everything explained. 新建人设。

    [bold]Examples[/]

      mien personas new anna

      mien personas new guide --like lin
    """
    from mien.llm.persona import bundled_folder
    from mien.personas import Personas

    if not _NAME.fullmatch(name):
        en = f"{name!r} is no name for a file: use small letters, digits, - and _, as in my-guide"
        zh = f"{name!r} 不能作为文件名：请用小写字母、数字、- 和 _，例如 my-guide"
        raise refused(zh if chinese() else en)
    there_are = Personas()
    file = there_are.folder / f"{name}.toml"
    if file.exists():
        raise refused(
            f"{file} 已存在，未改动" if chinese() else f"{file} is there already; not touched"
        )
    answers: tuple[Path, ...] = ()
    if like is None:
        text = (bundled_folder() / "template.txt").read_text(encoding="utf-8")
        text = text.replace("NAME", name)
    else:
        text, answers = _copied(there_are.path, like)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    for faq in answers:
        if not (beside := file.parent / faq.name).exists():
            beside.write_bytes(faq.read_bytes())
    _tell_on(file, name)


def _copied(path_of: Callable[[str], Path], like: str) -> tuple[str, tuple[Path, ...]]:
    """The persona's file, and its files of written answers."""
    from mien.llm.persona import PersonaError, read_persona

    try:
        path = path_of(like)
        persona = read_persona(path, like)
    except PersonaError as error:
        raise refused(error.zh if chinese() else str(error)) from None
    return path.read_text(encoding="utf-8"), persona.faq


def _tell_on(file: Path, name: str) -> None:
    lines = (
        [
            f"[green]{escape(str(file))}[/]",
            "1. 用编辑器打开它，写下名字、开场白、风格和规则",
            f"2. 检查：mien personas show {name}",
            f"3. 使用：mien run --persona {name}，或在网页的“形象与声音”面板中选择",
        ]
        if chinese()
        else [
            f"[green]{escape(str(file))}[/]",
            "1. Open it in an editor: name, greeting, style and rules",
            f"2. Check it: mien personas show {name}",
            f"3. Use it: mien run --persona {name}, or choose it in the page under Look and voice",
        ]
    )
    for line in lines:
        errors.print(line, soft_wrap=True)
