"""``mien avatar create``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.commands.bar import progress_bar

console = Console(stderr=True, highlight=False)

STEPS = {
    "models": "face models (36 MB, once)",
    "face": "finding the face",
    "figure": "cutting out the person",
    "mouth": "drawing mouths",
    "eyes": "drawing eyes",
    "files": "writing the avatar",
}


def create(
    photo: Annotated[Path, typer.Argument(help="JPEG, PNG or WebP with one face. 照片")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name for --avatar; made from the file's name if left out."),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Shown to people. 显示名称")] = "",
    right: Annotated[
        bool,
        typer.Option(
            "--i-have-the-right-to-use-this-face",
            help="You confirm that the face is yours or its owner agreed; this is recorded in the "
            "avatar. 确认您有权使用这张脸。",
        ),
    ] = False,
    models_from: Annotated[
        Path | None,
        typer.Option(
            "--models-from", help="A mediapipe wheel, or a folder with the models, when offline."
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="Also write a picture of every mouth and look, e.g. s.png."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a photo that is usable but not good.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace your avatar of that name. 覆盖同名形象")
    ] = False,
) -> None:
    """Make a talking avatar from one photo. 用一张照片制作会说话的形象。

    [bold]A good photo[/]: looks straight at the camera, lips closed and
    relaxed, soft light from the front, sharp, the face 300 pixels high or
    more, hair and shoulders on it, nothing before the mouth.
    好照片：正对镜头、闭嘴放松、正面柔光、清晰、包含头发和肩膀、嘴部无遮挡。

    The photo never leaves this machine. Three small face models are fetched
    once through your own pip configuration.

    [bold]Examples[/]

      mien avatar create me.jpg --i-have-the-right-to-use-this-face

      mien run --avatar me
    """
    from mien.avatar.photo import PhotoError, Request, build
    from mien.avatar.photo.builder import suggested_name

    try:
        request = Request(
            name=suggested_name(photo.stem) if name is None else name,
            title=title,
            consent=right,
            models=models_from,
            strict=strict,
            replace_old=force,
        )
        started = time.perf_counter()
        with progress_bar(console) as progress:
            bar = progress.add_task(STEPS["face"], total=1.0)

            def on_progress(share: float, step: str) -> None:
                progress.update(bar, completed=share, description=STEPS.get(step, step))

            built = build(photo.read_bytes(), request, on_progress)
    except PhotoError as error:
        raise _refused(error.zh if _chinese() else error.en) from None
    except OSError as error:
        raise _refused(f"{error.filename or photo}: {error.strerror or error}") from None
    for advice in built.advice:
        console.print(f"[yellow]![/] {escape(advice.zh if _chinese() else advice.en)}")
    took = time.perf_counter() - started
    console.print(f"[green]{built.path}[/] in {took:.1f} s: mien run --avatar {request.name}")
    if sheet is not None:
        _write_sheet(built.path, sheet)


def _write_sheet(folder: Path, file: Path) -> None:
    import cv2

    from mien.avatar.library import load_avatar
    from mien.avatar.sheet import contact_sheet

    picture = contact_sheet(load_avatar(folder))
    if not cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise _refused(f"{file} could not be written; end its name in .png or .jpg")
    console.print(f"[green]{file}[/]")


def _chinese() -> bool:
    names = (os.environ.get(key, "") for key in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((name for name in names if name), "").startswith("zh")


def _refused(message: str) -> typer.Exit:
    console.print(f"[bold red]mien:[/] {escape(message)}")
    return typer.Exit(2)
