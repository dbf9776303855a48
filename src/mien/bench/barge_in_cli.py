"""The command line of ``mien bench barge-in``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from mien.bench.terminal import AsJson, failed, measured, show, show_figures, text


def barge_in(
    interruptions: Annotated[
        int, typer.Option("--interruptions", min=0, help="Sentences said over the avatar's.")
    ] = 50,
    coughs: Annotated[
        int, typer.Option("--coughs", min=0, help="Coughs, hums, laughs, “uh-huh”, “嗯” over them.")
    ] = 50,
    echo: Annotated[
        float, typer.Option("--echo", min=0, help="Minutes of its own voice at −20 dB.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Talking over the avatar: how fast it listens, and what it takes for an interruption.

    A microphone over WebRTC speaks, coughs and says "uh-huh" while the avatar speaks; with
    --echo it also brings the avatar's own voice back, 20 to 300 ms late. Times are from where
    the sound becomes audible at the microphone: until the voice at the viewer is 12 dB down and
    stays so, until it is silent, until the session tells of the interruption. Some 10 ms of each is
    the microphone's packet that must be full. Good: 100 ms and 450 ms at p95, nothing
    missed, no false interruption, every word and every beep of what was held once.
    """
    if not (interruptions or coughs or echo):
        raise failed("nothing to measure: give --interruptions, --coughs or --echo.")
    from mien.bench.barge_in import run_barge_in

    result = measured(
        "barge-in", lambda progress: run_barge_in(interruptions, coughs, echo, progress)
    )
    if as_json:
        show_figures(result, True, "", {})
        return
    if "duck_ms" in result:
        show(_times(result))
    labels = {
        "missed": "interruptions missed",
        "resumed_first": "of the others, spoke on for a moment",
        "reactions": "coughs and backchannels",
        "false_interruptions": "taken for interruptions",
        "false_answers": "answered afterwards",
        "not_held": "not even held",
        "answers_with_wrong_text": "answers with a word skipped or repeated",
        "beeps": "beeps heard",
        "beeps_skipped_or_repeated": "of these skipped, repeated, misplaced",
        "echo_minutes": "minutes of echo",
        "echo_speech_sec": "of these with speech, s",
        "echo_holds": "held for its own voice",
        "echo_interruptions": "interrupted by it",
        "echo_questions": "answered it",
        "recognizer": "recogniser",
    }
    found: dict[str, Any] = {
        key: ", ".join(value) or 0 if isinstance(value, list) else value
        for key, value in result.items()
    }
    shown = {key: label for key, label in labels.items() if key in found}
    show_figures(found, False, "What it takes them for", shown)


def _times(result: dict[str, Any]) -> Table:
    table = Table("since it became audible", "p50 ms", "p95 ms", "n", title="Barge-in")
    rows = {
        "duck_ms": "voice 12 dB down",
        "silence_ms": "silent",
        "hold_event_ms": "held (event at the page)",
        "interrupt_event_ms": "interrupted (event at the page)",
        "client_packet_ms": "  of each: until its packet is full",
        "hold_to_resume_ms": "coughs: from hold to resume",
    }
    for key, label in rows.items():
        table.add_row(label, *(text(result[key][part]) for part in ("p50", "p95", "n")))
    return table
