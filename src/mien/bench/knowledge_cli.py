"""The command ``mien bench knowledge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mien.bench.terminal import AsJson, failed, measured, show, show_figures, stderr, text


def knowledge(
    root: Annotated[
        Path, typer.Option("--root", help="A checkout of mien: README*.md, docs/, docs/zh/.")
    ] = Path(),
    listed: Annotated[
        Path | None,
        typer.Option("--questions", help="Instead of tests/knowledge_questions.toml in there."),
    ] = None,
    without_phrasings: Annotated[
        bool,
        typer.Option("--without-phrasings", help="As if the pages did not say how people ask."),
    ] = False,
    misses: Annotated[bool, typer.Option("--misses", help="Tell what was found instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """How well questions in people's own words find the passage that answers them.

    Without a model: by words alone. mien's own documents are asked 100 questions in Chinese and 100
    in English that they answer, and 40 that they do not (other software, the world).
    """
    from mien.bench.knowledge import KnowledgeBenchError, read_questions, run_knowledge

    try:
        questions = read_questions(listed or root / "tests" / "knowledge_questions.toml")
        result = measured(
            "knowledge",
            lambda progress: run_knowledge(
                root, questions, progress, phrasings=not without_phrasings
            ),
        )
    except KnowledgeBenchError as error:
        raise failed(str(error)) from None
    if as_json:
        show_figures(result, True, "", {})
        return
    show(_table(result))
    if misses:
        for miss in result["misses"]:
            found = miss["found"][0] if miss["found"] else None
            where = f"{found['page']} {' › '.join(found['heading'])}" if found else "nothing"
            Console().print(f"[bold]{miss['question']}[/]: {where}", highlight=False)
    stderr().print(f"load average of the machine: {text(result['load_average'])}")


def _table(result: dict[str, Any]) -> Table:
    table = Table(
        "questions",
        "answered there",
        "best is right",
        "one of four is",
        "nothing found",
        "out of scope",
        "refused",
        "CPU ms each",
        title="Questions that find their passage",
    )
    for language in ("zh", "en"):
        for part in ("tuning", "held_out", "all", "fresh"):
            figures = result[language][part]
            table.add_row(
                f"{language} {part.replace('_', ' ')}",
                str(figures["questions"]),
                *(f"{figures[key]:.0%}" for key in ("top_1", "top_4", "refused_wrongly")),
                str(figures["out_of_scope"]),
                f"{figures['refused']:.0%}" if figures["out_of_scope"] else "-",
                f"{figures['ms']:.1f}",
            )
    return table
