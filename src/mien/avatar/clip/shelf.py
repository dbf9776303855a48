"""Clips that were shown lately, so that each is made ready once and shared."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from mien.avatar.background import SOFT
from mien.avatar.clip.avatar import ClipAvatar, ClipStyle
from mien.avatar.clip.frames import Progress
from mien.avatar.clip.package import ClipPackage, read_clip

Key = tuple[Path, int, tuple[int, int], ClipStyle]

KEPT = 6  # sizes and styles; memory-mapped pictures are given back by the system anyway


class Shelf:
    """Remembers the last few; use it from any thread."""

    def __init__(self) -> None:
        self._packages: OrderedDict[tuple[Path, int], ClipPackage] = OrderedDict()
        self._avatars: OrderedDict[Key, ClipAvatar] = OrderedDict()
        self._making: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def avatar(
        self,
        folder: Path,
        changed: int,
        size: tuple[int, int] | None,
        style: ClipStyle,
        on_progress: Progress | None,
    ) -> ClipAvatar:
        """See ``library.load_avatar``. changed: the folder's age; another one is another avatar.

        Who asks for what somebody is just making ready waits for it; others do not.
        """
        package = self._package(folder, changed)
        key = (folder, changed, size or package.size, style)
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                known = self._avatars.get(key)
                if known is not None:
                    self._avatars.move_to_end(key)
                    return known
            made = ClipAvatar(package, size, SOFT, style, on_progress)
            with self._lock:
                self._avatars[key] = made
                self._trim(folder, changed)
        return made

    def _package(self, folder: Path, changed: int) -> ClipPackage:
        with self._lock:
            package = self._packages.get((folder, changed))
        if package is None:
            package = read_clip(folder)
            with self._lock:
                self._packages[folder, changed] = package
        return package

    def _trim(self, folder: Path, changed: int) -> None:
        for key in [k for k in self._avatars if k[0] == folder and k[1] != changed]:
            del self._avatars[key]
        while len(self._avatars) > KEPT:
            self._avatars.popitem(last=False)
        while len(self._packages) > KEPT:
            self._packages.popitem(last=False)
        for key in [k for k in self._making if k not in self._avatars]:
            if not self._making[key].locked():
                del self._making[key]
