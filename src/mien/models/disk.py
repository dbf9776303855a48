"""A disk without room, said so that its user knows what to do."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from mien.models.errors import ModelError

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def is_full(error: OSError) -> bool:
    """Whether the system has no room for what was written: the disk, a quota or a limit is full."""
    return error.errno in FULL


def disk_full(folder: Path, what: str, size: int | None = None) -> ModelError:
    """``what`` has no room in ``folder``. size: bytes it needs, if that is known."""
    free = shutil.disk_usage(folder).free / 1e6
    needed = f" ({size / 1e6:.0f} MB)" if size else ""
    return ModelError(
        "disk_full",
        f"There is not enough room in {folder} for {what}{needed}: {free:.0f} MB are free. Make "
        "room (`mien models prune` finds what is not needed), or let MIEN_MODELS name a folder on "
        "another disk.",
        f"{folder} 空间不足，无法存放 {what}{needed}：仅剩 {free:.0f} MB。请清理磁盘"
        "（`mien models prune` 可找出不再需要的文件），或用 MIEN_MODELS 指定其他磁盘上的文件夹。",
    )
