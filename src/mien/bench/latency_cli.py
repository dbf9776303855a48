"""The command ``mien bench latency``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from mien.bench.terminal import AsJson, failed, measured, show, show_figures, stderr, text
from mien.language import Language

_TYPED = {
    "text_to_packet_ms": "text sent → first speech packet",
    "text_to_frame_ms": "text sent → its first picture, decoded",
    "pcm_to_packet_ms": "first PCM → first packet with lips",
    "interrupt_to_silence_ms": "interrupt sent → last audible sample",
}
_SPOKEN = {
    "speech_end_to_packet_ms": "speech ends (VAD) → first answer packet",
    "acoustic_end_to_packet_ms": "last audible sample said → the same",
    "brain_ms": "the brain's first token, taken off",
}


def latency(
    turns: Annotated[int, typer.Option("--turns", min=1, help="Questions asked.")] = 20,
    voice: Annotated[
        str | None, typer.Option("--voice", help="Voice by name; no other one stands in for it.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Where [voices.…] is read from; else ./mien.toml."),
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="From the end of spoken questions.")] = False,
    recognizer: Annotated[
        str | None,
        typer.Option("--recognizer", help="With --mic: by name; else the one chosen by itself."),
    ] = None,
    language: Annotated[
        Language, typer.Option("--language", help="With --mic: of the questions, en or zh.")
    ] = "en",
    as_json: AsJson = False,
) -> None:
    """How long people wait: from text to sound and picture, from interruption to silence.

    Asks the scripted brain, listens for 1.2 s, interrupts, and so on. Times are
    taken at the viewer, from sending the request to the arrival of the packet
    (or the decoded picture); a browser adds its own buffer of 50-80 ms. Stages
    are ms since the text reached the server.

    With --mic, recorded questions are spoken into a WebRTC microphone, and times
    count from the end of speech; how long the brain took for its first token is
    taken off. Good: a median of 800 ms.
    """
    from mien.config import ConfigError, load_settings

    try:
        # Of the settings only how voices and recognisers are set up: figures must compare
        # between machines.
        named = None if voice is None and recognizer is None else load_settings(config)
    except ConfigError as error:
        raise failed(str(error)) from None
    voices = {} if named is None else named.voices
    if mic:
        from mien.bench.latency_mic import run_latency_mic

        tables = {} if named is None else named.ears.recognizers
        spoken = measured(
            "latency of listening",
            lambda progress: run_latency_mic(
                turns, language, voice, recognizer, progress, voices=voices, recognizers=tables
            ),
        )
        show_figures(spoken, True, "", {}) if as_json else _show_spoken(spoken)
        return
    from mien.bench.latency import run_latency

    typed = measured("latency", lambda progress: run_latency(turns, voice, progress, voices=voices))
    show_figures(typed, True, "", {}) if as_json else _show_typed(typed)


def _show_typed(result: dict[str, Any]) -> None:
    rows = [(label, result[key]) for key, label in _TYPED.items()]
    rows += [(f"  stage {stage}", value) for stage, value in result["stages"].items()]
    _show(f"Latency, voice {result['voice']}", rows)
    for key in ("not_idle_after_interrupt", "events_after_interrupt"):
        if result[key]:
            stderr().print(f"[bold red]{key}: {result[key]}[/]")


def _show_spoken(result: dict[str, Any]) -> None:
    rows = [(label, result[key]) for key, label in _SPOKEN.items()]
    rows += [(f"  stage {stage}", value) for stage, value in result["stages"].items()]
    rows += [(f"  of it: {part}", value) for part, value in result["breakdown_ms"].items()]
    _show(f"Latency of listening, {result['recognizer']}, voice {result['voice']}", rows)
    share = result["speculated_share"]
    stderr().print(f"begun before the turn was over: {share:.0%} of the answers")
    if result["unanswered"]:
        stderr().print(f"[bold red]questions without an answer: {result['unanswered']}[/]")


def _show(title: str, rows: Iterable[tuple[str, Any]]) -> None:
    table = Table("", "p50 ms", "p95 ms", "n", title=title)
    for label, value in rows:
        table.add_row(label, *(text(value[key]) for key in ("p50", "p95", "n")))
    show(table)
