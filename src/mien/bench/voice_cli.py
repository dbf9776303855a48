"""The command ``mien bench voice``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mien.bench.terminal import AsJson, failed, measured, show_figures, stderr, text

_FIGURES = {
    "whole_ms": "whole",
    "first_chunk_ms": "first",
    "real_time_factor": "RTF",
    "gap_ms": "gap",
    "ratio_whole": "×whole",
    "ratio_first": "×first",
    "ratio_cpu": "×CPU",
}


def voice(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns of each.")] = 5,
    only: Annotated[
        str, typer.Option("--backends", help="Only these: openvino,onnxruntime,torch.")
    ] = "",
    threads: Annotated[int, typer.Option("--threads", min=0, help="0 = all cores.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--voice", help="A voice's folder; else seeded weights.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How soon a Bert-VITS2 voice is heard and how fast it is, by every back end there is.

    Needs no server and no weights. A sentence of about 10 s, without what reads the text. All ways
    of running the network take turns, each in a process of its own, so that ratios hold on a busy
    machine too. They are to plain PyTorch, which decodes the sentence at once, in float32. first:
    until something can be heard; gap: how long a listener waits between pieces; whole: until all
    is there. Good: first 5 times sooner, whole 1.5 times (CPU) or 3 times (GPU) faster, no gap.
    Loading takes a minute.
    """
    from mien.bench.voice import VoiceBenchError, run_voice
    from mien.tts.bert_vits2.checkpoint import CheckpointError

    libraries = [name for name in only.replace(" ", "").split(",") if name]
    if unknown := set(libraries) - {"openvino", "onnxruntime", "torch"}:
        raise failed(f"no back end is called {', '.join(sorted(unknown))}.")
    try:
        result = measured(
            "a voice",
            lambda progress: run_voice(
                progress,
                rounds=rounds,
                libraries=libraries,
                threads=threads,
                voice=str(folder) if folder else "",
            ),
        )
    except (VoiceBenchError, CheckpointError) as error:
        raise failed(str(error)) from None
    if as_json:
        show_figures(result, True, "", {})
        return
    Console().print(voice_table(result))
    for skipped in result["skipped"]:
        stderr().print(f"{skipped['backend']} {skipped['precision']}: {skipped['why']}")
    stderr().print(f"load average of the machine: {text(result['load_average'])}")


def voice_table(result: dict[str, Any]) -> Table:
    """What :func:`~mien.bench.voice.run_voice` found, a line per way of running."""
    title = f"Bert-VITS2, {result['seconds']:.1f} s of speech, ms, {result['threads']} threads"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("back end", ""):
        table.add_column(name, no_wrap=True)
    for name in _FIGURES.values():
        table.add_column(name, justify="right", no_wrap=True)
    for row in result["rows"]:
        on = "" if row["device"] == "cpu" else f" ({row['device']})"
        table.add_row(
            row["backend"] + on,
            row["precision"],
            *(_number(key, row[key]) for key in _FIGURES),
        )
    return table


def _number(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if key.endswith("_ms") else f"{value:.2f}"
