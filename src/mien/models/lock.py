"""One pull of a model at a time, also between processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mien.models.errors import ModelError


@contextmanager
def locked(path: Path, name: str) -> Iterator[None]:
    """Hold ``path``; the system lets go of it when the process ends, however it ends.

    Raises ModelError "busy" while another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        try:
            _lock(file)
        except OSError:
            raise ModelError(
                "busy",
                f"The model {name} is being fetched by another process; wait for it.",
                f"另一个进程正在获取模型 {name}，请等待其完成。",
            ) from None
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
