"""The clip's pictures at the size they are shown in: scaled once, then only looked up.

Decoding a 720p picture costs 4 to 8 ms of a tick's 40, for every session; looking it up 0.3.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import platformdirs

from mien.avatar.clip.package import ClipPackage
from mien.avatar.clip.shot import Shot
from mien.avatar.errors import AvatarError
from mien.media.tick import Image

Cache = Literal["none", "ram", "disk"]
Progress = Callable[[float], None]

MOST_BYTES = 6_000_000_000  # of all clips together, on disk
SPARE_BYTES = 500_000_000  # a disk is never filled up to the last byte
REMEMBERED = 8  # decoded pictures, where nothing is cached
AT_ONCE = 16  # pictures decoded before they are written
OLD_SEC = 86_400.0  # half-made files of a run that was killed
VERSION = b"1"  # of what is stored; another one makes new files


class Frames(Protocol):
    """uint8[H, W, 3] RGB by frame; read-only. From any thread."""

    def __getitem__(self, frame: int, /) -> Image: ...


def open_frames(
    package: ClipPackage, shot: Shot, cache: Cache = "disk", on_progress: Progress | None = None
) -> Frames:
    """All pictures of the clip as ``shot`` shows them.

    cache: "disk" keeps them in a memory-mapped file in the user's cache, shared by all processes
    and kept for the next start; "ram" in this process; "none" decodes each time.
    on_progress: called with 0…1 while they are made; what it raises stops that, and leaves nothing
    half made. ``frames_bytes`` says beforehand how much room they take.

    Raises:
        AvatarError: a damaged picture, or too little room.
    """
    progress = on_progress or (lambda share: None)
    if cache == "none":
        return DecodedFrames(package, shot)
    if cache == "disk":
        return _on_disk(package, shot, progress)
    shape = (len(package), shot.size[1], shot.size[0], 3)
    frames = np.empty(shape, np.uint8)
    for frame, picture in enumerate(_made(package, shot, progress)):
        frames[frame] = picture
    frames.setflags(write=False)
    return frames


def frames_bytes(package: ClipPackage, size: tuple[int, int]) -> int:
    """What the pictures take in memory or on disk: 0.8 MB each at 512×512, 2.8 MB at 720p."""
    return len(package) * size[0] * size[1] * 3


def cache_folder() -> Path:
    return Path(platformdirs.user_cache_dir("mien", appauthor=False)) / "clips"


def forget_frames(package: ClipPackage) -> None:
    """Delete the clip's pictures from the cache, of all sizes."""
    for path in cache_folder().glob(f"{_prefix(package)}-*.npy"):
        with contextlib.suppress(OSError):
            path.unlink()


def _prefix(package: ClipPackage) -> str:
    return package.pictures_key[:16]


class DecodedFrames:
    """Decodes when asked, and remembers the last few: sessions may show neighbouring frames."""

    def __init__(self, package: ClipPackage, shot: Shot) -> None:
        self._package, self._shot = package, shot
        self._known: OrderedDict[int, Image] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, frame: int, /) -> Image:
        with self._lock:
            if frame in self._known:
                self._known.move_to_end(frame)
                return self._known[frame]
        image = _picture(self._package, self._shot, frame)
        image.setflags(write=False)
        with self._lock:
            self._known[frame] = image
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return image


def _picture(package: ClipPackage, shot: Shot, frame: int) -> Image:
    return np.ascontiguousarray(shot.of(package.picture(frame)))


def _made(package: ClipPackage, shot: Shot, progress: Progress) -> Iterator[Image]:
    """Every picture in order; decoded by all cores, a few ahead of what is taken."""
    count = len(package)
    with ThreadPoolExecutor(os.cpu_count() or 1, "mien-clip") as pool:
        for first in range(0, count, AT_ONCE):
            progress(first / count)
            some = range(first, min(count, first + AT_ONCE))
            yield from pool.map(lambda frame: _picture(package, shot, frame), some)
    progress(1.0)


def _on_disk(package: ClipPackage, shot: Shot, progress: Progress) -> Frames:
    folder = cache_folder()
    content = f"{package.pictures_key} {shot}".encode() + VERSION
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = folder / f"{_prefix(package)}-{digest}.npy"
    frames = _opened(path, package, shot)
    if frames is not None:
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now; the longest unused go first
        return frames
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder, frames_bytes(package, shot.size))
        _write(path, package, shot, progress)
    except OSError as error:
        raise AvatarError(
            f"the pictures of {package.name!r} cannot be kept in {folder}: "
            f'{error.strerror or error}; set the cache to "none" or "ram"'
        ) from error
    frames = _opened(path, package, shot)
    if frames is None:
        raise AvatarError(f'{path} cannot be read back; set the cache to "none" or "ram"')
    return frames


def _opened(path: Path, package: ClipPackage, shot: Shot) -> Frames | None:
    """The file, mapped into memory, if it is whole: right shape, and the first and the last
    picture as the clip has them."""
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    shape = (len(package), shot.size[1], shot.size[0], 3)
    if frames.shape != shape or frames.dtype != np.uint8:
        return None
    # A plain array over the same memory: numpy's memmap makes every slice dearer.
    plain = np.asarray(frames).view(np.ndarray)
    for frame in (0, len(package) - 1):
        if not np.array_equal(plain[frame], _picture(package, shot, frame)):
            return None
    return plain


def _write(path: Path, package: ClipPackage, shot: Shot, progress: Progress) -> None:
    part = path.with_name(f"{path.stem}.{os.getpid()}-{threading.get_ident()}.part")
    shape = (len(package), shot.size[1], shot.size[0], 3)
    try:
        with part.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for picture in _made(package, shot, progress):
                file.write(picture.data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _make_room(folder: Path, needed: int) -> None:
    """Delete the longest unused until ``needed`` bytes fit. Raises AvatarError if they cannot."""
    now = time.time()
    for path in folder.glob("*.part"):
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > OLD_SEC:
                path.unlink()
    kept = []
    for path in folder.glob("*.npy"):
        with contextlib.suppress(OSError):
            kept.append((path.stat().st_mtime, path.stat().st_size, path))
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total + needed <= MOST_BYTES and _free(folder) >= needed + SPARE_BYTES:
            break
        with contextlib.suppress(OSError):  # in use, where systems do not let go of such a file
            path.unlink()
            total -= size
    if _free(folder) < needed + SPARE_BYTES:
        raise AvatarError(
            f"{folder} has {_free(folder) // 1_000_000} MB left; the clip's pictures need "
            f'{needed // 1_000_000} MB: free some, or set the cache to "none"'
        )


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
