"""A folder that is there whole or not at all, whatever interrupts its making."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from mien.avatar.clip.errors import ClipError
from mien.avatar.photo.builder import swap_in

SPARE_BYTES = 200_000_000  # a disk is never filled up to the last byte
MARK = "building"


@contextmanager
def half_made(target: Path, needed_bytes: int) -> Iterator[Path]:
    """A hidden folder beside ``target`` that takes its place when the block ends, and vanishes
    when it raises. What a killed process left behind is removed at the next call.

    Raises ClipError: "disk_full".
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    free = shutil.disk_usage(target.parent).free
    if free < needed_bytes + SPARE_BYTES:
        raise _disk_full(target.parent, needed_bytes + SPARE_BYTES, free)
    prefix = f".{target.name}-{MARK}-{os.getpid()}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp makes private folders; avatars are ordinary ones
        swap_in(folder, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(target.parent).free
            raise _disk_full(target.parent, needed_bytes + SPARE_BYTES, free) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Removes half-made folders whose process is gone."""
    for folder in root.glob(f".*-{MARK}-*"):
        found = re.search(rf"-{MARK}-(\d+)-", folder.name)
        if found and not psutil.pid_exists(int(found[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _disk_full(folder: Path, needed: int, free: int) -> ClipError:
    return ClipError(
        "disk_full",
        f"{folder} has {free / 1e6:.0f} MB left and about {needed / 1e6:.0f} MB are needed; free "
        "some, or use a shorter part of the clip with --part.",
        f"{folder} 只剩 {free / 1e6:.0f} MB，约需 {needed / 1e6:.0f} MB；请清理磁盘，"
        "或用 --part 选取更短的一段。",
    )
