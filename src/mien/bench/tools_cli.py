"""The command ``mien bench tools``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from mien.bench.terminal import AsJson, measured, show, show_figures, stderr, text

_FIGURES = {
    "call_to_sound_ms": "first fragment of the call → first packet of the aside",
    "pages_to_request_ms": "pages sent → model is told of them",
    "pages_to_sound_ms": "pages sent → first packet of the answer",
}


def tools(
    turns: Annotated[int, typer.Option("--turns", min=1, help="Questions asked.")] = 20,
    as_json: AsJson = False,
) -> None:
    """How long people wait while the web is searched: until something is said, until the answer is.

    A model, a search service and two pages on this machine take the place of the real ones: the
    model answers at once, a page takes 2 s. Everything between is the product, seen by a viewer
    over WebRTC. Good: something is heard within 300 ms of the first fragment of the call, the
    answer within 1 s of the last page. A real model adds its time to first token to the latter.
    """
    from mien.bench.tools import run_tools

    result = measured("tools", lambda progress: run_tools(turns, progress))
    if as_json:
        show_figures(result, True, "", {})
        return
    table = Table("", "p50 ms", "p95 ms", "n", title="Searching the web")
    for key, label in _FIGURES.items():
        table.add_row(label, *(text(result[key][part]) for part in ("p50", "p95", "n")))
    show(table)
    if result["asides_too_long"]:
        stderr().print(f"asides that were not over yet: {result['asides_too_long']}")
    stderr().print(f"load average of the machine: {text(result['load_average'])}")
