"""What commands say to people, in their language."""

from __future__ import annotations

import os
from typing import Protocol

import typer
from rich.console import Console
from rich.markup import escape

errors = Console(stderr=True, highlight=False)


class Said(Protocol):
    """An error with one sentence in each language."""

    en: str
    zh: str


def chinese() -> bool:
    """Whether the system's language is Chinese."""
    names = (os.environ.get(key, "") for key in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((name for name in names if name), "").startswith("zh")


def refused(error: Said | str) -> typer.Exit:
    """Print why; raise what is returned."""
    words = error if isinstance(error, str) else error.zh if chinese() else error.en
    # Without breaking lines, so that commands in it can be copied.
    errors.print(f"[bold red]mien:[/] {escape(words)}", soft_wrap=True)
    return typer.Exit(2)
