"""``mien models list``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from mien.commands.words import chinese, refused

console = Console(highlight=False)

KINDS = {
    "lipsync": ("Lips of filmed avatars", "视频形象的口型"),
    "tts": ("Voices", "声音"),
    "asr": ("Ears", "语音识别"),
    "kws": ("Wake words", "唤醒词"),
    "bert": ("What Bert-VITS2 voices read a text with", "Bert-VITS2 声音所需的语言模型"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. size: bytes, as it is here or to fetch; None where nobody says. why_not: what
    fetches it; None when it is here. path: its (first) file; folder: all of it. sha256, source: of
    the first file that is here. half_fetched: bytes that an interrupted pull has left."""

    name: str
    kind: str
    engine: str
    ready: bool
    purpose: str
    licence: str
    non_commercial: bool
    size: int | None
    languages: list[str]
    own: bool
    half_fetched: int
    path: str | None = None
    folder: str | None = None
    sha256: str | None = None
    source: str | None = None
    why_not: str | None = None


def list_(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON only, for scripts. 仅输出 JSON")
    ] = False,
    kind: Annotated[
        str | None, typer.Option(help="Only these: lipsync, tts or bert. 仅列出此类")
    ] = None,
) -> None:
    """Every model there is, and whether it is here. 列出所有模型。

    Your own ones too: docs/models.md says how a catalogue of your own is written.
    也包括您自己目录中的模型，写法见 docs/models.md。

    [bold]Examples[/]

      mien models list

      mien models list --kind tts --json
    """
    from mien.models.errors import ModelError
    from mien.models.store import store_folder

    try:
        entries = [entry for entry in _entries() if kind in (None, entry.kind)]
    except ModelError as error:
        raise refused(error) from None
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2))
        return
    for each in dict.fromkeys(entry.kind for entry in entries):
        words = KINDS.get(each, (each, each))
        console.print(f"[bold]{escape(words[1] if chinese() else words[0])}[/]")
        for entry in entries:
            if entry.kind == each:
                _print(entry)
        console.print()
    console.print(f"✓ is here, below {escape(str(store_folder()))}. To get another:")
    console.print("  mien models pull NAME")


def _print(entry: Entry) -> None:
    mark = "[green]✓[/]" if entry.ready else "–"
    size = f"{entry.size / 1e6:.0f} MB" if entry.size else "? MB"
    if entry.half_fetched:
        size += f" ({entry.half_fetched / 1e6:.0f} MB are here, pull goes on)"
    console.print(f"  {mark} [cyan]{escape(entry.name)}[/]  {size}", soft_wrap=True)
    for said in (entry.purpose, entry.licence):
        console.print(Padding(f"[dim]{escape(said)}[/]", (0, 0, 0, 4)))


def _entries() -> list[Entry]:
    from mien.models.catalogue import catalogue
    from mien.models.prune import half_fetched
    from mien.models.store import installed, missing

    entries = []
    for model in catalogue(strict=True).values():
        found, licence, why = installed(model.name), model.licence, missing(model)
        entry = Entry(
            name=model.name,
            kind=model.kind,
            engine=model.engine,
            ready=found is not None,
            purpose=(model.zh if chinese() else model.en) or model.name,
            licence=licence.name,
            non_commercial=licence.non_commercial,
            size=sum(kept.size for kept in found.files) if found else model.size,
            languages=list(model.languages),
            own=model.own,
            half_fetched=half_fetched(model.name),
            path=str(found.path) if found else None,
            folder=str(found.folder) if found else None,
            sha256=found.files[0].sha256 if found else None,
            source=found.files[0].source if found else None,
            why_not=None if found else why.zh if chinese() else why.en,
        )
        entries.append(entry)
    return entries
