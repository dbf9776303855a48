"""``mien avatar create``: from a photo or from a clip."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from mien.commands.bar import progress_bar
from mien.commands.words import chinese, refused
from mien.commands.words import errors as console

if TYPE_CHECKING:
    from mien.avatar.clip.build import ClipBuilt
    from mien.avatar.photo import Built


STEPS = {
    "models": "face models (36 MB, once)",
    "face": "finding the face",
    "figure": "cutting out the person",
    "mouth": "drawing mouths",
    "eyes": "drawing eyes",
    "frames": "reading the clip, following the face",
    "motion": "checking and smoothing",
    "features": "preparing the lips",
    "files": "writing the avatar",
}


class LoopChoice(StrEnum):
    auto = "auto"
    pingpong = "pingpong"
    forward = "forward"


class CacheChoice(StrEnum):
    none = "none"
    ram = "ram"
    disk = "disk"


def create(
    file: Annotated[
        Path, typer.Argument(help="A photo (JPEG, PNG, WebP) or a video clip. 照片或视频")
    ],
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
    part: Annotated[
        str,
        typer.Option("--part", help="Clip: use only these seconds, e.g. 2-12.5. 只用视频的这几秒"),
    ] = "",
    idle: Annotated[
        str,
        typer.Option(
            "--idle",
            help="Clip: seconds in it with lips closed, shown while listening, e.g. 2.0-6.5; "
            "found by itself if left out. 闭嘴的片段，倾听时使用",
        ),
    ] = "",
    loop: Annotated[
        LoopChoice,
        typer.Option("--loop", help="Clip: how it repeats; pingpong is forward and back."),
    ] = LoopChoice.auto,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published", help="Clip: also the face boxes of the original Wav2Lip, to compare."
        ),
    ] = False,
    cache: Annotated[
        CacheChoice,
        typer.Option(
            "--cache",
            help="Clip: where what does not depend on sound is kept.",
        ),
    ] = CacheChoice.disk,
    models_from: Annotated[
        Path | None,
        typer.Option(
            "--models-from", help="A mediapipe wheel, or a folder with the models, when offline."
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="Also write a picture that shows the avatar, e.g. s.png."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what is usable but not good.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace your avatar of that name. 覆盖同名形象")
    ] = False,
) -> None:
    """Make a talking avatar from one photo or from a clip. 用一张照片或一段视频制作会说话的形象。

    [bold]A good photo[/]: looks straight at the camera, lips closed and
    relaxed, soft light from the front, sharp, the face 300 pixels high or
    more, hair and shoulders on it, nothing before the mouth.
    好照片：正对镜头、闭嘴放松、正面柔光、清晰、包含头发和肩膀、嘴部无遮挡。

    [bold]A good clip[/]: one person, 5 to 20 seconds in one take, camera on
    something firm, 720p or more, looking at the camera all the time; first
    some seconds of silent listening with lips closed, then calm talk. Its
    background and body stay as they were filmed. Lips need weights:
    mien models pull. See docs/clip-avatar.md.
    好视频：一个人、一镜到底 5–20 秒、相机固定、720p 以上、始终看镜头；先闭嘴静听几秒，再平静说话。
    背景和身体保持原样。口型需要权重：mien models pull。

    Neither ever leaves this machine. Three small face models are fetched
    once through your own pip configuration.

    [bold]Examples[/]

      mien avatar create me.jpg --i-have-the-right-to-use-this-face

      mien avatar create me.mp4 --i-have-the-right-to-use-this-face

      mien run --avatar me
    """
    from mien.avatar.clip.kind import kind_of
    from mien.avatar.photo import PhotoError
    from mien.avatar.photo.builder import suggested_name

    common: dict[str, Any] = {
        "name": suggested_name(file.stem) if name is None else name,
        "title": title,
        "consent": right,
        "models": models_from,
        "strict": strict,
        "replace_old": force,
    }
    started = time.perf_counter()
    before = signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does: nothing half-made stays
    try:
        if kind_of(file) == "photo":
            _only_for_clips(part=part, idle=idle, loop=loop.value, as_published=as_published)
            built = _from_photo(file, common)
        else:
            clip: dict[str, Any] = {"loop": loop.value, "as_published": as_published}
            built = _from_clip(file, {**common, **clip}, part, idle)
    except PhotoError as error:
        raise refused(error) from None
    except OSError as error:
        raise refused(f"{error.filename or file}: {error.strerror or error}") from None
    finally:
        signal.signal(signal.SIGTERM, before)
    for advice in built.advice:
        console.print(f"[yellow]![/] {escape(advice.zh if chinese() else advice.en)}")
    took = time.perf_counter() - started
    console.print(f"[green]{built.path}[/] in {took:.1f} s: mien run --avatar {common['name']}")
    from mien.avatar.clip.build import ClipBuilt

    if isinstance(built, ClipBuilt):
        _tell_sizes(built)
        _prepare(str(common["name"]), cache.value)
    if sheet is not None:
        _write_sheet(built.path, sheet)


def _from_photo(file: Path, options: dict[str, Any]) -> Built:
    from mien.avatar.photo import Request, build

    return _with_bar(lambda tell: build(file.read_bytes(), Request(**options), tell))


def _from_clip(file: Path, options: dict[str, Any], part: str, idle: str) -> Built:
    from mien.avatar.clip.build import ClipRequest, build_clip
    from mien.avatar.clip.video_reader import Part

    chosen = _seconds("--part", part)
    request = ClipRequest(
        **options, part=Part(*chosen) if chosen else None, idle=_seconds("--idle", idle)
    )
    return _with_bar(lambda tell: build_clip(file, request, tell))


def _with_bar(build: Callable[[Callable[[float, str], None]], Built]) -> Built:
    with progress_bar(console) as progress:
        bar = progress.add_task(STEPS["models"], total=1.0)

        def tell(share: float, step: str) -> None:
            progress.update(bar, completed=share, description=STEPS.get(step, step))

        return build(tell)


def _seconds(option: str, text: str) -> tuple[float, float] | None:
    """ "2.0-6.5" → (2.0, 6.5); None for ""."""
    if not text:
        return None
    start, dash, end = text.partition("-")
    try:
        span = float(start), float(end)
    except ValueError:
        span = (0.0, 0.0)
    if not dash or not 0 <= span[0] < span[1]:
        raise refused(
            f"{option} 需要“起-止”秒数，例如 2.0-6.5，而不是 {text!r}。"
            if chinese()
            else f"{option} takes seconds as from-to, such as 2.0-6.5, not {text!r}."
        )
    return span


def _only_for_clips(part: str, idle: str, loop: str, as_published: bool) -> None:
    given = {"--part": part, "--idle": idle, "--as-published": as_published}
    given["--loop"] = loop if loop != LoopChoice.auto else ""
    for option in (o for o, value in given.items() if value):
        raise refused(
            f"{option} 只用于视频，这是一张照片。"
            if chinese()
            else f"{option} is for clips, and this is a photo."
        )


def _tell_sizes(built: ClipBuilt) -> None:
    from mien.avatar.clip.sizes import features_mb
    from mien.media.tick import FPS

    width, height = built.size
    small, large = features_mb(built.frames)
    loop = {"pingpong": "forward and back", "forward": "forward"}[built.loop]
    silent = f"{built.idle[0] / FPS:.1f}-{built.idle[1] / FPS:.1f} s" if built.idle else "none"
    console.print(
        f"  {width}×{height}, {built.frames / FPS:.1f} s ({built.frames} frames), "
        f"{built.bytes / 1e6:.0f} MB; repeats {loop}; silent passage: {silent}"
    )
    console.print(
        f"  what the lips need once per frame will take {small:.0f} MB (96 pixels) or {large:.0f} "
        "MB (256 pixels) on the disk, half or a quarter of it on fast back ends"
    )


def _prepare(name: str, cache: str) -> None:
    """What the first run would do otherwise: the clip's pictures and its lips, onto the disk."""
    from mien.commands.avatar_prepare import prepare

    if cache != CacheChoice.disk:
        return
    with progress_bar(console) as progress:
        bar = progress.add_task(STEPS["features"], total=1.0)
        problem = prepare(
            name, lambda share, what: progress.update(bar, completed=share, description=what)
        )
    if problem is not None:
        said = problem.zh if chinese() else problem.en
        console.print(f"[yellow]![/] {escape(said)}")


def _write_sheet(folder: Path, file: Path) -> None:
    import cv2

    from mien.avatar.library import load_avatar
    from mien.avatar.sheet import contact_sheet

    picture = contact_sheet(load_avatar(folder))
    if not cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise refused(f"{file} could not be written; end its name in .png or .jpg")
    console.print(f"[green]{file}[/]")


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
