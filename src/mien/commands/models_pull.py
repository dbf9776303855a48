"""``mien models pull``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.bar import progress_bar
from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.models.catalogue import Model

console = Console(stderr=True, highlight=False)


def pull(
    name: Annotated[str, typer.Argument(help="wav2lip, wav2lip-gan or wav2lip256. 模型名称")],
    given: Annotated[
        Path | None,
        typer.Option("--from", help="A file that you have already, instead of fetching. 本地文件"),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Where to ask first: huggingface, hf-mirror, modelscope, github, google-drive, or "
            "the address of a Hugging Face mirror. 优先使用的来源"
        ),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option(
            "--i-accept-the-licence",
            help="You have read the model's licence and keep to it; this is recorded. "
            "已阅读并接受许可条款。",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Fetch it although it is here. 重新获取")
    ] = False,
) -> None:
    """Fetch a model and check it; interrupted, it goes on where it was. 获取模型。

    [bold]Examples[/]

      mien models pull wav2lip

      mien models pull wav2lip --mirror hf-mirror        in mainland China

      mien models pull wav2lip-gan --from wav2lip_gan.pth
    """
    from mien.models.catalogue import model
    from mien.models.errors import ModelError
    from mien.models.pull import pull as fetch
    from mien.models.pull import pull_from
    from mien.models.store import installed

    try:
        wanted = model(name)
        here = installed(name)
        if here is not None and given is None and not again:
            console.print(f"[green]{escape(name)}[/] is here: {escape(str(here.path))}")
            return
        _ask(wanted, accept)
        with progress_bar(console) as progress:
            bar = progress.add_task(name, total=1.0)

            def on_progress(done: int, total: int | None, host: str) -> None:
                megabytes = f"{done / 1e6:.0f}" + (f" of {total / 1e6:.0f}" if total else "")
                progress.update(
                    bar,
                    completed=done / total if total else 0.0,
                    description=f"{name}: {megabytes} MB from {host}",
                )

            if given is None:
                kept = fetch(wanted, mirror, on_progress)
            else:
                kept = pull_from(wanted, given, lambda share: progress.update(bar, completed=share))
    except ModelError as error:
        raise refused(error) from None
    except KeyboardInterrupt:
        console.print("Interrupted; the same command goes on from here. 已中断，再次运行可继续。")
        raise typer.Exit(130) from None
    console.print(f"[green]{escape(str(kept.path))}[/]")
    if wanted.engine == "wav2lip":
        console.print("Make it fast on this machine: mien models optimize wav2lip")
    for file in kept.files:
        if not file.known:
            console.print(
                f"[yellow]![/] {escape(file.name)} has the right network, but its SHA-256 is not a "
                f"published one: {file.sha256}"
            )


def _ask(wanted: Model, accept: bool) -> None:
    """Show the licence once, in both languages, and record that it was accepted."""
    from mien.models.store import accept as record
    from mien.models.store import accepted

    licence = wanted.licence
    if accepted(licence):
        return
    console.print(f"[bold]{escape(licence.name)}[/]\n{escape(licence.en)}\n{escape(licence.zh)}")
    console.print(escape(licence.url))
    if not accept and sys.stdin.isatty():
        question = "接受以上条款吗？" if chinese() else "Do you accept this?"
        accept = typer.confirm(question)
        if not accept:
            raise typer.Exit(1)
    if accept:
        record(licence)
