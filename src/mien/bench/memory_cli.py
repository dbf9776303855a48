"""The command ``mien bench memory``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mien.bench.terminal import AsJson, measured, show_figures, stderr, text

_ROWS = {
    "note_ms": "a message is remembered (committed)",
    "note_returns_ms": "of which the conversation waits",
    "begin_ms": "a session begins to remember",
    "briefing_ms": "what it tells the model of the user",
    "recall_ms": "recall: looking something up",
    "remember_ms": "remember: a fact",
}
_ONCE = {
    "export_ms": "export",
    "check_ms": "an import is checked",
    "import_ms": "and taken in",
    "erase_ms": "erased, to the last byte",
    "erase_small_ms": "a user of a tenth erased",
}


def memory(
    turns: Annotated[
        int, typer.Option("--turns", min=1, help="Questions with their answers, of one user.")
    ] = 10_000,
    users: Annotated[
        int, typer.Option("--users", min=2, help="In all; the others have a tenth each.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """What remembering costs a session when there is much to remember: ms.

    Needs no server and no model. A store is filled with sentences in both languages; then a session
    of the first user notes, is briefed, looks up and learns, all as it waits for them. Good: what
    is asked for is there in 20 ms with 10,000 turns.
    """
    from mien.bench.memory import run_memory

    result = measured("the memory", lambda progress: run_memory(progress, turns, users - 1))
    if as_json:
        show_figures(result, True, "", {})
        return
    title = f"{result['exchanges']} turns of one user, {result['file_mb']} MB"
    table = Table("ms", "median", "p95", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for key, label in _ROWS.items():
        table.add_row(label, text(result[key]["p50"]), text(result[key]["p95"]))
    for key, label in _ONCE.items():
        table.add_row(label, text(result[key]), "")
    Console().print(table)
    stderr().print(f"load average of the machine: {text(result['load_average'])}")
