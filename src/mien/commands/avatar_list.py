"""``mien avatar list`` and ``mien avatar delete``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from mien.avatar.library import AvatarInfo

errors = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One avatar. kind: "presenter" (comes with mien) or "own". material: "atlas" (pictures of
    mouths) or "clip" (filmed). why_not: what is wrong with it and what to change; None when it is
    ready. size: width, height of its canvas or clip in pixels."""

    name: str
    kind: str
    ready: bool
    title: str
    path: str
    license: str
    size: tuple[int, int] | None
    why_not: str | None = None
    material: str = ""


def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts.")] = False,
) -> None:
    """Every avatar there is, and whether it can be used. 列出所有形象。

    The presenters come with mien; your own lie in a folder each (the last
    column says where). Use one with --avatar NAME, here and in [bold]mien run[/] and
    [bold]mien say[/].
    """
    from mien.avatar.library import list_avatars, user_folder

    entries = [_entry(info) for info in list_avatars()]
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2))
        return
    table = Table()
    for column in ("", "name", "kind", "title", "licence", "folder / what is wrong"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        sign = "[green]✓[/]" if entry.ready else "[red]✗[/]"
        where = escape(entry.why_not or ("" if entry.kind == "presenter" else entry.path))
        table.add_row(
            sign, escape(entry.name), entry.kind, escape(entry.title), escape(entry.license), where
        )
    Console().print(table)
    if not any(entry.kind == "own" for entry in entries):
        errors.print(
            f"Your own go to {user_folder()}: mien avatar create photo.jpg "
            "--i-have-the-right-to-use-this-face"
        )


def _entry(info: AvatarInfo) -> Entry:
    """Reads the whole folder: only then is it known to be usable."""
    from mien.avatar.clip.package import read_clip
    from mien.avatar.errors import AvatarError
    from mien.avatar.package import read_package

    kind, path = "presenter" if info.built_in else "own", str(info.path)
    try:
        package = read_clip(info.path) if info.kind == "clip" else read_package(info.path)
    except AvatarError as error:
        return Entry(info.name, kind, False, info.name, path, "", None, str(error), info.kind)
    return Entry(
        name=info.name,
        kind=kind,
        ready=True,
        title=package.title,
        path=path,
        license=package.license,
        size=package.size,
        material=info.kind,
    )


def delete(
    name: Annotated[str, typer.Argument(help="Of one of your own avatars. 形象名称")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete one of your own avatars for good. 删除自己的形象。

    The presenters that come with mien stay. What was recorded with the avatar
    stays too; only its folder goes.
    """
    from mien.avatar.library import delete_avatar, list_avatars

    found = [info for info in list_avatars() if info.name == name]
    own = [info for info in found if not info.built_in]
    if not own:
        known = ", ".join(info.name for info in list_avatars() if not info.built_in) or "none"
        reason = "comes with mien and stays" if found else "is none of your avatars"
        errors.print(f"[bold red]mien:[/] {escape(name)} {reason}; yours: {escape(known)}")
        raise typer.Exit(2)
    folder = own[0].path
    if not yes and not typer.confirm(f"Delete {folder} for good?"):
        raise typer.Exit(1)
    delete_avatar(folder)
    errors.print(f"[green]deleted[/] {escape(str(folder))}")
