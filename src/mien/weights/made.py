"""Folders of what was made of weights: whole, or not there."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED_SEC = 24 * 3600
"""Nothing takes so long to make; a folder half made for longer has nobody who makes it."""


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A folder to write into that takes ``folder``'s place at the end; an exception
    leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for rest in (fresh, old):
            shutil.rmtree(rest, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Delete what processes left that were killed while they wrote ``folder``."""
    for left in folder.parent.glob(f".{folder.name}.*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED_SEC:
                shutil.rmtree(left, ignore_errors=True)
