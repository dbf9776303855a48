"""How ``mien bench`` runs a measurement and shows its figures."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only, for scripts.")]
Work = Callable[[Callable[[float], None]], Coroutine[Any, Any, dict[str, Any]]]


def measured(what: str, work: Work) -> dict[str, Any]:
    from mien.bench.server import ServerDied
    from mien.bench.visit import VisitError

    _quiet_logs()
    try:
        with _progress(what) as progress:
            result = asyncio.run(work(progress))
    except (ServerDied, VisitError) as error:
        raise failed(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    return {**result, "load_average": _load_average()}


def _quiet_logs() -> None:
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="WARNING")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(f"measuring {what}", total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _load_average() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def show_figures(result: dict[str, Any], as_json: bool, title: str, labels: dict[str, str]) -> None:
    if as_json:
        print(json.dumps(result))
        return
    table = Table("", "", title=title, show_header=False)
    for key, label in labels.items():
        table.add_row(label, text(result[key]))
    if "load_average" not in labels:
        table.add_row("load average of the machine", text(result["load_average"]))
    show(table)


def text(value: object) -> str:
    return "-" if value is None else str(value)


def show(table: Table) -> None:
    for column in table.columns[1:]:
        column.justify = "right"
    Console().print(table)


def stderr() -> Console:
    return Console(stderr=True, highlight=False)


def failed(message: str) -> typer.Exit:
    stderr().print("[bold red]mien bench:[/]", escape(message), markup=True)
    return typer.Exit(2)
