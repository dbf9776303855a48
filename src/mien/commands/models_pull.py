"""``mien models pull``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.bar import progress_bar
from mien.commands.words import chinese, refused

if TYPE_CHECKING:
    from mien.models.catalogue import Model
    from mien.models.progress import OnModelProgress, Progress
    from mien.models.store import Installed

console = Console(stderr=True, highlight=False)

DOING = {"fetch": ("", ""), "copy": ("copying ", "复制 "), "unpack": ("unpacking ", "解压 ")}


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="As `mien models list` has them; with --from-dir all that lie there if left out. "
            "模型名称，可多个",
        ),
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option("--from", help="A file that you have already, instead of fetching. 本地文件"),
    ] = None,
    given_folder: Annotated[
        Path | None,
        typer.Option(
            "--from-dir",
            help="A folder or USB stick with the files under the catalogue's names, archives "
            "packed or unpacked. 含有模型文件的文件夹或 U 盘",
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Where to ask first: huggingface, hf-mirror, modelscope, github, google-drive, or "
            "the address of a Hugging Face or GitHub mirror. 优先使用的来源"
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
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Touch no network; say what would have to be fetched (as MIEN_OFFLINE=1 does). "
            "离线：不访问网络，只说明缺少什么",
        ),
    ] = False,
) -> None:
    """Fetch models and check them; interrupted, it goes on where it was. 获取模型。

    Every file has a bar. Ctrl-C is no loss: the same command goes on from there,
    also from another source. 随时可用 Ctrl-C 中断，再次运行即可继续。

    [bold]Examples[/]

      mien models pull matcha-icefall-zh-en

      mien models pull wav2lip --mirror hf-mirror     in mainland China

      mien models pull wav2lip-gan --from wav2lip_gan.pth

      mien models pull --from-dir /media/usb          all that lie there
    """
    from mien.models.errors import ModelError

    if given is not None and given.is_dir():
        given, given_folder = None, given
    try:
        wanted = _wanted(names or [], given, given_folder)
        for one in wanted:
            _pull(one, given, given_folder, mirror, accept, again, offline)
    except ModelError as error:
        raise refused(error) from None
    except KeyboardInterrupt:
        console.print("Interrupted; the same command goes on from here. 已中断，再次运行可继续。")
        raise typer.Exit(130) from None


def _wanted(names: list[str], given: Path | None, folder: Path | None) -> list[Model]:
    from mien.models.catalogue import catalogue, model
    from mien.models.given import look_for

    if given is not None and len(names) != 1:
        raise refused("--from gives the file of one model; name that one 请指定一个模型名称")
    if names:
        return [model(name) for name in names]
    if folder is None:
        raise refused("name a model; `mien models list` has them 请指定模型，见 mien models list")
    found = [one for one in catalogue(strict=True).values() if not look_for(one, folder)[1]]
    if not found:
        raise refused(
            f"{folder} has no whole model; `mien models pull NAME --offline` says what one needs "
            f"{folder} 中没有完整的模型"
        )
    return found


def _pull(
    wanted: Model,
    given: Path | None,
    folder: Path | None,
    mirror: str | None,
    accept: bool,
    again: bool,
    offline: bool,
) -> None:
    from mien.models.given import pull_from, pull_from_folder
    from mien.models.pull import pull as fetch
    from mien.models.store import installed

    here = installed(wanted.name)
    if here is not None and given is None and folder is None and not again:
        console.print(f"[green]{escape(wanted.name)}[/] is here: {escape(_place(wanted, here))}")
        return
    _ask(wanted, accept)
    with _bars(wanted) as tell:
        if given is not None:
            kept = pull_from(wanted, given, tell)
        elif folder is not None:
            kept = pull_from_folder(wanted, folder, tell)
        else:
            kept = fetch(wanted, mirror, tell, offline=offline)
    console.print(f"[green]{escape(_place(wanted, kept))}[/]")
    if wanted.engine == "wav2lip":
        console.print("Make it fast on this machine: mien models optimize wav2lip")
    if wanted.engine == "bert-vits2":
        console.print(
            f"Make it fast on this machine: mien models optimize bert-vits2 --voice {wanted.name}"
        )
    if wanted.kind == "tts":
        console.print(f"Hear it: mien say --voice {wanted.name} -o hello.mp4 你好")
    if wanted.kind == "asr":
        console.print("mien run listens with it, unless mien.toml names another; see docs/ears.md")
    for file in kept.files:
        if not file.known and wanted.engine == "wav2lip":
            console.print(
                f"[yellow]![/] {escape(file.name)} has the right network, but its SHA-256 is not a "
                f"published one: {file.sha256}"
            )


def _place(wanted: Model, kept: Installed) -> str:
    return str(kept.path if len(kept.files) == 1 else kept.folder)


@contextmanager
def _bars(wanted: Model) -> Iterator[OnModelProgress]:
    """One bar for each file as it comes, named with what is done with it."""
    with progress_bar(console) as progress:
        bars = {}

        def tell(told: Progress) -> None:
            key = (told.step, told.file)
            if key not in bars:
                bars[key] = progress.add_task(told.file, total=1.0)
            doing = DOING[told.step][1 if chinese() else 0]
            megabytes = f"{told.file_done / 1e6:.0f}"
            if told.file_total:
                megabytes += f" of {told.file_total / 1e6:.0f}"
            source = f" from {told.host}" if told.host else ""
            progress.update(
                bars[key],
                completed=told.file_done / told.file_total if told.file_total else 0.0,
                description=escape(f"{doing}{told.file}: {megabytes} MB{source}"),
            )

        if len(wanted.files) > 1 and wanted.size:
            console.print(f"{wanted.name}: {len(wanted.files)} files, {wanted.size / 1e6:.0f} MB")
        yield tell


def _ask(wanted: Model, accept: bool) -> None:
    """Show the licence once, in both languages, and record that it was accepted."""
    from mien.models.consent import accept as record
    from mien.models.consent import accepted

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
