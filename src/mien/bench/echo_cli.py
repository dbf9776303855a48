"""The command ``mien bench echo``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mien.bench.terminal import AsJson, failed, measured, show_figures, stderr, text


def echo(
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.5, help="Of the avatar's speech, each way.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Whether the avatar takes its own leaked voice for somebody, and still hears those it must.

    Needs no server and goes faster than real time. What the avatar says comes back at the
    microphone 20 dB weaker, in all the ways a loudspeaker, a room, a network and a bad echo
    canceller have with it; nobody else speaks, so that every onset is a false one. Then recorded
    questions are asked over it. Good: no onset at -20 dB; people noticed within 100 ms of when
    they would be noticed in silence, at 10 dB over the echo; 10 ms of CPU per second.
    """
    from mien.bench.echo import run_echo
    from mien.tts.voice import VoiceError

    try:
        result = measured("echoes", lambda progress: run_echo(progress, minutes))
    except VoiceError as error:
        raise failed(str(error)) from None
    if as_json:
        show_figures(result, True, "", {})
        return
    alone = Table("the avatar's echo", title=f"Nobody speaks, {text(minutes)} minutes each way")
    over = Table("the avatar's echo", title="Somebody speaks over the avatar")
    for table, key, columns in (
        (
            alone,
            "echo_alone",
            {
                "likely": "onsets",
                "sure": "sure ones",
                "voiced": "windows of speech",
                "windows": "of",
                "delay_ms": "delay found, ms",
                "cpu_ms_per_sec": "CPU, ms per s",
            },
        ),
        (
            over,
            "talked_over",
            {
                "user_db": "louder, dB",
                "spoken": "spoken",
                "missed": "missed",
                "late_ms_p50": "noticed later, ms, p50",
                "late_ms_p95": "p95",
                "kept": "speech kept",
                "snr_db": "SNR, dB",
            },
        ),
    ):
        for column in columns.values():
            table.add_column(column, justify="right")
        for row in result[key]:
            table.add_row(row["way"], *(text(row[column]) for column in columns))
        Console().print(table)
    stderr().print(f"load average of the machine: {text(result['load_average'])}")
