"""``mien models optimize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from mien.commands.bar import progress_bar
from mien.commands.models_optimize_voice import optimize_voice
from mien.commands.words import errors as console
from mien.commands.words import refused

if TYPE_CHECKING:
    from mien.avatar.clip.package import ClipPackage
    from mien.lipsync.wav2lip.optimize import Samples


def optimize(
    engine: Annotated[str, typer.Argument(help="wav2lip or bert-vits2. 引擎名称")],
    weights: Annotated[
        str, typer.Option(help="A model's name or a checkpoint's file. 模型名称或权重文件")
    ] = "auto",
    backend: Annotated[
        str, typer.Option(help="onnxruntime, openvino, or auto: all that are here. 推理后端")
    ] = "auto",
    calibrate: Annotated[
        str | None,
        typer.Option(
            help="A clip avatar to choose the ranges by, the one you will use: a name or a folder. "
            "Without it the built-in presenters serve. 用于校准的视频形象"
        ),
    ] = None,
    decode: Annotated[
        str, typer.Option(help="mouth, lower or full, as in lipsync.decode. 嘴部、下半脸或整脸")
    ] = "mouth",
    threads: Annotated[int, typer.Option(min=0, help="0 = as many as there are cores.")] = 0,
    voice: Annotated[
        str | None,
        typer.Option(
            help="Of bert-vits2: a model's name, or a voice's folder. 声音的模型名称或文件夹"
        ),
    ] = None,
) -> None:
    """Make a model fast on this machine: 8-bit weights, graphs, TensorRT engines. 优化模型。

    Takes about a minute, and several for TensorRT. Afterwards mien uses what
    it made wherever that is good enough; how good is measured and printed.
    需要约一分钟（TensorRT 需数分钟）。完成后会自动使用。

    [bold]Examples[/]

      mien models optimize wav2lip

      mien models optimize wav2lip --calibrate me --backend openvino

      mien models optimize bert-vits2 --voice voices/anna
    """
    from mien.avatar.errors import AvatarError
    from mien.lipsync.wav2lip.backend import BackendError, Choice
    from mien.lipsync.wav2lip.checkpoint import CheckpointError, read_checkpoint
    from mien.lipsync.wav2lip.optimize import make, makeable
    from mien.lipsync.wav2lip.window import WINDOWS, window_of
    from mien.models.errors import ModelError
    from mien.models.store import chosen
    from mien.tts.voice import VoiceError

    if engine == "bert-vits2":
        return optimize_voice(voice)
    if engine != "wav2lip":
        raise refused(f"{engine!r} cannot be optimized; wav2lip and bert-vits2 can be")
    if decode not in WINDOWS:
        raise refused(f"--decode is {', '.join(WINDOWS)}, not {decode!r}")
    try:
        choices = makeable(backend)
        with progress_bar(console) as progress:
            bar = progress.add_task("weights", total=len(choices) + 0.2)
            checkpoint = read_checkpoint(chosen("wav2lip", weights))
            window = window_of(checkpoint.architecture, decode)
            progress.update(bar, advance=0.1, description="faces and speech")
            samples = _samples(checkpoint.architecture.size, calibrate)
            progress.update(bar, advance=0.1)
            for number, found in enumerate(choices):
                choice = Choice(found.backend, found.precision, found.device, threads)
                progress.update(bar, description=str(choice))

                def on_progress(share: float, number: int = number) -> None:
                    progress.update(bar, completed=0.2 + number + share)

                made = make(checkpoint, window, choice, samples, on_progress)
                colour = "yellow" if "preferred" in made.verdict else "green"
                console.print(
                    f"[{colour}]{choice.backend}[/] {escape(made.verdict)} "
                    f"({choice.device}, {made.size_bytes / 1e6:.0f} MB, {made.seconds:.0f} s)"
                )
    except (ModelError, AvatarError, BackendError, CheckpointError, VoiceError) as error:
        raise refused(str(error)) from None
    except OSError as error:
        raise refused(f"{error.filename or 'cache'}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        console.print(
            "Interrupted; what was finished is kept, what was not is gone. "
            "已中断：已完成的保留，未完成的已清除。"
        )
        raise typer.Exit(130) from None


def _samples(size: int, avatar: str | None) -> Samples:
    from mien.commands.calibration import faces_of_clip, faces_of_presenters, spoken_mels
    from mien.lipsync.wav2lip.optimize import SAMPLES, Samples

    if avatar is None:
        faces, source = faces_of_presenters(size, SAMPLES), "built-in presenters"
    else:
        clip = _clip(avatar)
        faces, source = faces_of_clip(clip, size, SAMPLES), clip.name
    return Samples(faces, spoken_mels(SAMPLES), source)


def _clip(avatar: str) -> ClipPackage:
    """A clip avatar by name or folder, without its pictures being made ready to be shown."""
    from mien.avatar.clip.package import read_clip
    from mien.avatar.errors import AvatarError
    from mien.avatar.library import avatar_info, list_avatars

    known = {info.name: info for info in list_avatars()}
    info = known.get(avatar) or avatar_info(Path(avatar).expanduser())
    if info.kind == "clip":
        return read_clip(info.path)
    if info.why_not:
        clips = [name for name, found in known.items() if found.kind == "clip"]
        raise AvatarError(f"there is no avatar {avatar!r}; clips: {', '.join(clips) or 'none'}")
    raise AvatarError(f"{avatar} is no clip; leave --calibrate out or name one that is")
