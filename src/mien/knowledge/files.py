"""Which files are meant by what a person names: files, and folders with all that is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.knowledge.errors import KnowledgeError
from mien.knowledge.reading import kind_of, not_understood

MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """A file. why_not: why it is not read; None if it is to be."""

    path: Path
    why_not: KnowledgeError | None = None


def find_files(named: Sequence[Path]) -> list[Found]:
    """Absolute paths, each once: those that are named, and of folders all below, in order of their
    names. What begins with a dot is no business of ours, and links that lead to folders are not
    followed. Raises KnowledgeError when there are too many.
    """
    found: dict[Path, Found] = {}
    for path in named:
        path = path.expanduser()
        inside = path.is_dir()
        for each in _below(path) if inside else (path,):
            each = each.resolve()
            # What is named is tried, and fails if it cannot be; in a folder other things may be.
            skipped = inside and kind_of(each) is None
            found.setdefault(each, Found(each, not_understood(each) if skipped else None))
            if len(found) > MAX_FILES:
                raise KnowledgeError(
                    f"{path} has more than {MAX_FILES} files; name fewer",
                    f"{path} 中的文件超过 {MAX_FILES} 个，请缩小范围",
                )
    return list(found.values())


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            # "~$…" is what Word keeps beside a document that is open.
            if not name.startswith((".", "~$")) and path.is_file():
                yield path
