"""``mien models optimize bert-vits2``."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.markup import escape

from mien.commands.bar import progress_bar
from mien.commands.words import chinese, refused
from mien.commands.words import errors as console


def optimize_voice(voice: str | None) -> None:
    """Write the graphs of a voice where its back ends look, and say how exact they are.

    voice: a model's name, a folder or a file of weights.
    Raises typer.Exit when it cannot be done, having said why.
    """
    from mien.models.catalogue import catalogue
    from mien.models.errors import ModelError
    from mien.models.store import find_folder
    from mien.tts.bert_vits2.backend import BackendError
    from mien.tts.bert_vits2.checkpoint import CheckpointError, load_voice
    from mien.tts.bert_vits2.optimize import make

    if voice is None:
        raise refused("which voice? --voice FOLDER 请用 --voice 指定声音的文件夹")
    try:
        with progress_bar(console) as progress:
            bar = progress.add_task("weights", total=1.1)
            found = find_folder(voice) if voice in catalogue() else Path(voice).expanduser()
            checkpoint = load_voice(found)
            progress.update(bar, completed=0.1, description="graphs")
            made = make(checkpoint, lambda share: progress.update(bar, completed=0.1 + share))
    except (ModelError, BackendError, CheckpointError) as error:
        said = getattr(error, "zh", "") if chinese() else ""
        raise refused(said or str(error)) from None
    except OSError as error:
        raise refused(f"{error.filename or 'cache'}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        console.print("Interrupted; nothing was made. 已中断，未生成任何文件。")
        raise typer.Exit(130) from None
    console.print(
        f"[green]{escape(checkpoint.name)}[/] Bert-VITS2 {checkpoint.variant.name}, differs from "
        f"PyTorch by {made.error:.0e} of the peak ({made.size_bytes / 1e6:.0f} MB, "
        f"{made.seconds:.0f} s)"
    )
