"""``mien models prune``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.words import chinese, refused

console = Console(stderr=True, highlight=False)


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what could go. 仅列出，不删除")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. 不再询问")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON only, for scripts. 仅输出 JSON")
    ] = False,
) -> None:
    """Delete what is not needed any more, said with its size first. 清理不再需要的文件。

    That is what was half fetched, what belongs to no model, and caches made of
    models that are gone. Models that work stay, and so does what a running pull
    fetches or the mien.toml here names.
    包括未下载完成的、不属于任何模型的，以及由已删除模型生成的缓存。

    [bold]Examples[/]

      mien models prune --dry-run

      mien models prune --yes
    """
    from mien.config import ConfigError
    from mien.models.errors import ModelError
    from mien.models.prune import leftovers, remove

    try:
        found = leftovers(_named())
    except ModelError as error:
        raise refused(error) from None
    except ConfigError as error:
        raise refused(str(error)) from None
    if as_json:
        entries = [{"path": str(one.path), "size": one.size, "why": one.en} for one in found]
        print(json.dumps(entries, ensure_ascii=False, indent=2))
    for one in found:
        why = one.zh if chinese() else one.en
        console.print(
            f"{one.size / 1e6:8.1f} MB  {escape(str(one.path))}  [dim]{escape(why)}[/]",
            soft_wrap=True,
        )
    total = sum(one.size for one in found) / 1e6
    if not found:
        console.print("Nothing to delete. 没有可清理的内容。")
    if not found or dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise refused("nobody can be asked here; say --yes 此处无法询问，请加 --yes")
        question = f"删除以上内容（{total:.1f} MB）？" if chinese() else f"Delete {total:.1f} MB?"
        if not typer.confirm(question):
            raise typer.Exit(1)
    failed = False
    for one in found:
        try:
            remove(one)
        except ModelError as error:
            console.print(f"[yellow]![/] {escape(error.zh if chinese() else error.en)}")
        except OSError as error:
            failed = True
            console.print(f"[red]✗[/] {escape(str(one.path))}: {error.strerror or error}")
    if failed:
        raise typer.Exit(1)
    console.print(f"[green]{total:.1f} MB deleted[/]")


def _named() -> dict[str, list[Path]]:
    """Weights outside the store that the settings here name, by engine."""
    from mien.config import load_settings
    from mien.models.catalogue import catalogue

    settings = load_settings()
    wanted = {"wav2lip": [settings.lipsync.weights], "bert-vits2": list[str]()}
    for table in settings.voices.values():
        if table.get("service") == "bert-vits2" and table.get("model"):
            wanted["bert-vits2"].append(str(table["model"]))
    known = {"auto", *catalogue()}
    return {
        engine: [Path(name).expanduser() for name in names if name not in known]
        for engine, names in wanted.items()
    }
