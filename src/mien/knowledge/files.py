"""Which files are meant by what a person names: files, and folders with all that is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mien.knowledge.errors import KnowledgeError, unreadable
from mien.knowledge.reading import kind_of, not_understood

MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """A file. why_not: why it is not read; None if it is to be. failed: whether it should have
    been.
    """

    path: Path
    why_not: KnowledgeError | None = None
    failed: bool = False


def shown(path: Path) -> str:
    """For people, JSON and a base, where the bytes of a name that are not in the system's charset
    cannot stand: with "?" for each.
    """
    return str(path).encode(errors="replace").decode()


def find_files(named: Sequence[Path]) -> list[Found]:
    """Absolute paths, each once: those that are named, and of folders all below, in order of their
    names. What begins with a dot is no business of ours, and links that lead to folders are not
    followed. What the system does not let us read is among them, failed. Raises KnowledgeError when
    there are too many.
    """
    found: dict[Path, Found] = {}
    for path in named:
        # The functions of os.path never raise; what is wrong with the file is told by who reads it.
        path = Path(os.path.expanduser(path))
        # What is named is tried, and fails if it cannot be; in a folder other things may be.
        for each in _below(path) if os.path.isdir(path) else (Found(path),):
            real = Path(os.path.realpath(each.path))
            found.setdefault(real, replace(each, path=real))
            if len(found) > MAX_FILES:
                raise KnowledgeError(
                    f"{shown(path)} has more than {MAX_FILES} files; name fewer",
                    f"{shown(path)} 中的文件超过 {MAX_FILES} 个，请缩小范围",
                )
    return list(found.values())


def _below(folder: Path) -> Iterator[Found]:
    closed: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith((".", "~$")):  # "~$…": what Word keeps beside an open document
                continue
            path = Path(root, name)
            try:
                if path.is_file():
                    yield Found(path, not_understood(path) if kind_of(path) is None else None)
            except OSError as error:
                yield Found(path, unreadable(error), failed=True)
    for each in closed:
        yield Found(Path(each.filename), unreadable(each), failed=True)
