"""Names of files that may be written on any system, and nowhere but where they belong.

They come from catalogues and archives, which are other people's words.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

MOST_CHARACTERS = 400
"""Of a whole path; Windows allows 260 for all of it, most others thousands."""

MOST_FOLDERS = 16
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
RESERVED = re.compile(r"(?i:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")


def safe_path(name: str) -> PurePosixPath:
    """``name`` as a relative path with "/" between folders.

    Raises ValueError, saying what is wrong: absolute, "..", NUL and other control characters,
    backslashes, drives, what Windows reserves, too long, too deep, not Unicode.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not Unicode") from None
    if found := FORBIDDEN.search(name):
        raise ValueError(f"it has {found[0]!r} in it")
    if name.startswith("/"):
        raise ValueError("it is an absolute path")
    if len(name) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS} characters")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        raise ValueError("it names nothing")
    if len(parts) > MOST_FOLDERS:
        raise ValueError(f"it lies more than {MOST_FOLDERS} folders deep")
    for part in parts:
        if part == "..":
            raise ValueError("it leads out of its folder")
        if part[-1] in " ." or part[0] == " " or RESERVED.fullmatch(part):
            raise ValueError(f"{part!r} cannot be a file's name on every system")
        if len(part.encode()) > 255:
            raise ValueError("a part of it has more than 255 bytes")
    return PurePosixPath(*parts)


def safe_name(name: str) -> str:
    """``name`` if ``safe_path`` allows it and has nothing to tidy. Raises ValueError."""
    path = str(safe_path(name))
    if path != name:
        raise ValueError(f"write it as {path!r}")
    return name


class Tree:
    """The files of one folder, none of which may take another's place, on any system."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def folder(self, path: PurePosixPath) -> None:
        """There is a folder. Raises ValueError where a file has its name."""
        for above in (path, *path.parents[:-1]):
            if (key := _folded(above)) in self._files:
                raise ValueError("a file has the same name as a folder")
            self._folders.add(key)

    def file(self, path: PurePosixPath) -> None:
        """There is one more file. Raises ValueError where its name is taken, also by one that
        differs in upper and lower case only."""
        if path.parent.parts:
            self.folder(path.parent)
        if (key := _folded(path)) in self._files:
            raise ValueError("its name is there twice (upper and lower case count as the same)")
        if key in self._folders:
            raise ValueError("a file has the same name as a folder")
        self._files.add(key)


def _folded(path: PurePosixPath) -> str:
    """The same for names that one file system or another takes to be the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", str(path)).casefold())
