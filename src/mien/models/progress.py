"""How far the fetching of a model is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mien.models.catalogue import Model, ModelFile

Step = Literal["fetch", "copy", "unpack"]


@dataclass(frozen=True, slots=True)
class Progress:
    """step: what is being done with ``file``. file_done, file_total: bytes of it. done, total:
    bytes of all files that are here, and that there will be. None: not known. host: whom they come
    from."""

    step: Step
    file: str
    file_done: int
    file_total: int | None
    done: int
    total: int | None
    host: str = ""


# What it raises ends the work; the next time it goes on from there.
OnModelProgress = Callable[[Progress], None]


class FileProgress:
    """Tells how far one file is, beside how far all are. before: bytes of those that are here."""

    def __init__(
        self, step: Step, wanted: Model, file: ModelFile, before: int, tell: OnModelProgress
    ) -> None:
        self._step, self._file, self._before, self._tell = step, file, before, tell
        self._whole, self._alone = wanted.size, len(wanted.files) == 1

    def __call__(self, done: int, total: int | None, host: str = "") -> None:
        whole = total if self._whole is None and self._alone else self._whole
        name = self._file.name
        self._tell(Progress(self._step, name, done, total, self._before + done, whole, host))


class UnpackProgress:
    """Tells how far an archive is unpacked. sizes: bytes of the files that came, by name."""

    def __init__(self, sizes: dict[str, int], tell: OnModelProgress) -> None:
        self._sizes, self._tell, self._all = sizes, tell, sum(sizes.values())

    def __call__(self, file: ModelFile, share: float) -> None:
        size = self._sizes[file.name]
        self._tell(Progress("unpack", file.name, int(share * size), size, self._all, self._all))
