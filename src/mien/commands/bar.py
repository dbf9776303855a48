"""The progress bar that all commands show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def progress_bar(console: Console) -> Progress:
    """One that goes when it is done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


@contextmanager
def bar_if_slow(console: Console) -> Iterator[Callable[[float, str], None]]:
    """For work that is done once and then kept: a bar appears with the first share 0…1 told, and
    says what is being made."""
    with progress_bar(console) as progress:
        bar = progress.add_task("", total=1.0, visible=False)

        def tell(share: float, what: str) -> None:
            progress.update(bar, completed=share, description=what, visible=True)

        yield tell
