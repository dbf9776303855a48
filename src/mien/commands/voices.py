"""``mien voices``: what can speak here and now."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mien.commands.words import chinese
from mien.config import Settings
from mien.voice_list import ListedVoice, list_voices
from mien.voices import find_service


def show_voices(settings: Settings, as_json: bool) -> None:
    """Print a table, or JSON only. Raises ConfigError when the chain is set up wrongly."""
    language = "zh" if chinese() else "en"
    voices = asyncio.run(list_voices(settings, everything=True))
    if as_json:
        rows = [{**asdict(voice), **_said(voice, language)} for voice in voices]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    caption = (
        "▸ speaks, in this order; the others by --voice NAME, see docs/voices.md"
        if language == "en"
        else "▸ 按此顺序使用；其他声音用 --voice 名称 选择，见 docs/voices.md"
    )
    table = Table(caption=caption, caption_justify="left")
    for column in ("", "name", "kind", "why not / how to get it"):
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for voice in voices:
        sign = "[green]✓[/]" if voice.ready else "–"
        said = _said(voice, language)
        table.add_row(
            f"{sign}{' ▸' if voice.chosen else ''}",
            escape(voice.name),
            escape(said["label"] or ""),
            escape(said["why_not"] or ""),
        )
    Console().print(table)


def _said(voice: ListedVoice, language: str) -> dict[str, str | None]:
    kind = find_service(voice.service)
    shown = voice.service if kind is None else kind.zh if language == "zh" else kind.en
    return {"label": shown, "why_not": voice.why_not[language] if voice.why_not else None}
