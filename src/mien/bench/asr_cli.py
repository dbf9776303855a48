"""The command ``mien bench asr``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mien.bench.terminal import AsJson, failed, measured, show_figures, stderr, text


def asr(
    recognizer: Annotated[
        str, typer.Option("--recognizer", help="By name; no other one stands in for it.")
    ] = "auto",
    language: Annotated[str, typer.Option("--language", help="zh or en.")] = "en",
    count: Annotated[int, typer.Option("--sentences", min=1, help="How many.")] = 20,
    fast: Annotated[
        bool, typer.Option("--fast", help="Not in real time; how soon words come is not told.")
    ] = False,
    phone: Annotated[
        bool, typer.Option("--phone", help="As a telephone transmits it: 8 kHz, G.711.")
    ] = False,
    listed: Annotated[
        Path | None, typer.Option("--list", help="Recordings of one's own, as dictation.toml.")
    ] = None,
    voice: Annotated[
        str, typer.Option("--voice", help="Who says sentences without a recording.")
    ] = "espeak",
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Where [ears] and [voices.…] are; else ./mien.toml."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How much a recogniser understands, how soon, and what it costs.

    English: 20 recordings of a synthetic voice (flite), in a quiet room. Chinese: the same number,
    which this machine's own voice says. Wrong words are substituted, missing and added ones, by
    those that were said; of Chinese, characters. Every sentence comes in real time; final: from a
    pause of 0.2 s until all words are there.
    """
    from mien.asr.contract import AsrError
    from mien.bench.asr import AsrBenchError, run_asr
    from mien.config import ConfigError, load_settings
    from mien.tts.voice import VoiceError

    if language not in ("zh", "en"):
        raise failed("--language is zh or en.")
    try:
        settings = load_settings(config)
        result = measured(
            "a recogniser",
            lambda progress: run_asr(
                progress,
                settings=settings,
                recognizer=recognizer,
                language="zh" if language == "zh" else "en",
                count=count,
                paced=not fast,
                phone=phone,
                listed=listed,
                voice=voice,
            ),
        )
    except (AsrBenchError, AsrError, ConfigError, VoiceError) as error:
        raise failed(str(error)) from None
    if as_json:
        show_figures(result, True, "", {})
        return
    Console().print(_sentences(result))
    unit = "characters" if result["language"] == "zh" else "words"
    print(
        f"{result['recognizer']}: {result['error_rate']:.1%} of {result['words']} {unit} wrong; "
        f"final after {_ms(result['final_ms'])}, first words after {_ms(result['partial_ms'])}; "
        f"{result['cpu_sec_per_sec']:.2f} CPU s per second; loaded in {result['load_sec']} s"
    )
    stderr().print(f"load average of the machine: {text(result['load_average'])}")


def _sentences(result: dict[str, Any]) -> Table:
    table = Table("said", "heard", "wrong")
    for row in result["rows"]:
        heard = row["heard"] if row["errors"] else "✓"
        table.add_row(row["said"], heard, str(row["errors"]))
    return table


def _ms(found: dict[str, Any]) -> str:
    return "-" if found["p50"] is None else f"{found['p50']:.0f} ms (p95 {found['p95']:.0f})"
