"""What does not depend on sound, once per picture: the decoder's features, the mouth at rest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import psutil  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mien.lipsync.wav2lip.artefacts import cache_folder
from mien.lipsync.wav2lip.backend import Backend, as_pictures, decode, encode, feature_values
from mien.lipsync.wav2lip.cache_file import (
    SUFFIX,
    CacheError,
    Records,
    file_bytes,
    open_records,
    prune_others,
    write_records,
)
from mien.lipsync.wav2lip.faces import Faces
from mien.lipsync.wav2lip.mel import silent_mel

Cache = Literal["none", "ram", "disk"]
Progress = Callable[[float], None]
T = TypeVar("T")

VERSION = "1"  # of what is stored; another one makes new files
# Features quantised to the same scale differ by rounding, on another processor by some of it; those
# of another scale by far more.
ALIKE = 0.02
SPARE_RAM_BYTES = 500_000_000


class Runner(Protocol):
    """Calls a function with the back end in the only thread that may use it."""

    def run(self, function: Callable[[Backend], T]) -> T: ...


@dataclass(frozen=True)
class Layout:
    """One picture's record: its features, unless nothing is cached, and its mouth at rest."""

    values: int
    dtype: np.dtype[Any]
    shape: tuple[int, int]
    cache: Cache

    @staticmethod
    def of(backend: Backend, cache: Cache) -> Layout:
        values, dtype = feature_values(backend), np.dtype(backend.feature_dtype)
        return Layout(values, dtype, backend.window.shape, cache)

    @cached_property
    def record(self) -> np.dtype[Any]:
        rest = ("rest", np.uint8, (*self.shape, 3))
        if self.cache == "none":
            return np.dtype([rest])
        features = self.values * self.dtype.itemsize
        pixels = self.shape[0] * self.shape[1] * 3
        # Whole cache lines, so that every picture's features lie equally well for copying.
        fields = {
            "names": ["features", "rest"],
            "formats": [(self.dtype, (self.values,)), (np.uint8, (*self.shape, 3))],
            "offsets": [0, features],
            "itemsize": -(-(features + pixels) // 64) * 64,
        }
        return np.dtype(fields)  # type: ignore[call-overload, no-any-return]

    def size_bytes(self, frames: int) -> int:
        """What ``frames`` pictures take on the disk, or in memory: exactly, before it is made."""
        if self.cache == "disk":
            return file_bytes(frames, self.record)
        return frames * self.record.itemsize


class Features:
    """All records of a clip; read from any thread."""

    def __init__(self, records: Records, cache: Cache) -> None:
        self._rest = records["rest"]
        self._features = None if cache == "none" else records["features"]
        for kept in (self._rest, self._features):
            if kept is not None:
                kept.setflags(write=False)

    def __len__(self) -> int:
        return len(self._rest)

    def features(self, frame: int) -> NDArray[Any] | None:
        """feature_dtype[window.values] of picture ``frame``; None when they are not kept."""
        return None if self._features is None else np.asarray(self._features[frame])

    def rest(self, frame: int) -> NDArray[np.uint8]:
        """uint8[rows, columns, 3] RGB: the network's answer to silence on picture ``frame``."""
        return np.asarray(self._rest[frame])


def open_features(
    backend: Backend,
    runner: Runner,
    checkpoint_digest: str,
    faces: Faces,
    *,
    cache: Cache = "disk",
    owner: str = "",
    at_once: int = 4,
    on_progress: Progress | None = None,
) -> Features:
    """Find or make what is needed of every picture.

    cache: "disk" keeps it in a memory-mapped file for all processes and the next start, "ram" in
        this process; with "none" only the mouths at rest are made and kept.
    owner: whose faces these are; files of the same owner that this one replaces are deleted.
    at_once: pictures the back end works on between two looks at whether somebody waits for it.
    on_progress: called with 0…1; what it raises stops the work and leaves nothing half made.

    Raises:
        CacheError: too little memory or room on the disk. Whatever the back end or ``faces`` raise.
        ValueError: for a clip without pictures.
    """
    if not len(faces):
        raise ValueError("a clip without pictures has no face")
    layout = Layout.of(backend, cache)
    progress = on_progress or (lambda share: None)

    def blocks() -> Iterator[Records]:
        size = backend.architecture.size
        for first in range(0, len(faces), at_once):
            progress(first / len(faces))
            frames = range(first, min(len(faces), first + at_once))
            crops = np.stack([faces.crop(frame, size) for frame in frames])
            yield runner.run(partial(_records, crops, layout))
        progress(1.0)

    if cache == "disk":
        about = _about(backend, checkpoint_digest, faces)
        path = _path(about, owner)
        records = open_records(path, len(faces), layout.record, about)
        # All else is in the file's name, but int8 may have been calibrated anew since. (Looking
        # means loading the encoder, which is otherwise not needed any more.)
        if records is not None and backend.choice.precision == "int8":
            records = records if _alike(records, faces, runner) else None
        if records is None:
            records = _made_on_disk(path, len(faces), layout, about, blocks)
        return Features(records, cache)
    _check_memory(layout.size_bytes(len(faces)))
    kept, first = np.empty(len(faces), layout.record), 0
    for block in blocks():
        kept[first : first + len(block)] = block
        first += len(block)
    return Features(kept, cache)


def _records(crops: NDArray[np.uint8], layout: Layout, backend: Backend) -> Records:
    features = encode(backend, crops)
    mels = np.repeat(silent_mel()[None], len(crops), 0)
    records = np.zeros(len(crops), layout.record)
    records["rest"] = as_pictures(decode(backend, mels, features))
    if layout.cache != "none":
        records["features"] = features
    return records


# -- on the disk -------------------------------------------------------------------------


def _about(backend: Backend, checkpoint_digest: str, faces: Faces) -> dict[str, str]:
    choice = backend.choice
    return {
        "version": VERSION,
        "faces": faces.key,
        "weights": checkpoint_digest,
        "window": backend.window.key,
        "back end": f"{choice.backend} {choice.precision} {choice.device}",
    }


def forget_features(owner: str) -> None:
    """Delete the cache files of an owner who is no more."""
    folder = cache_folder() / "faces"
    prune_others(folder / "none", _owner({}, owner))


def _path(about: dict[str, str], owner: str) -> Path:
    digest = hashlib.sha256(repr(sorted(about.items())).encode()).hexdigest()
    return cache_folder() / "faces" / f"{_owner(about, owner)}-{digest[:16]}{SUFFIX}"


def _owner(about: dict[str, str], owner: str) -> str:
    return re.sub(r"[^\w.-]+", "_", owner)[:60] or about["faces"][:16]


def _made_on_disk(
    path: Path,
    count: int,
    layout: Layout,
    about: dict[str, str],
    blocks: Callable[[], Iterator[Records]],
) -> Records:
    write_records(path, count, layout.record, about, blocks())
    prune_others(path, path.name[: -len(SUFFIX) - 17])
    records = open_records(path, count, layout.record, about)
    if records is None:
        raise CacheError(
            "cache_unreadable",
            f'{path} cannot be read back. Set the lip-sync cache to "ram" or "none".',
            f"无法读回 {path}。请将口型缓存设为 ram 或 none。",
        )
    return records


def _alike(records: Records, faces: Faces, runner: Runner) -> bool:
    """Whether this back end would store the same of the first picture."""

    def encode_first(backend: Backend) -> NDArray[Any]:
        return encode(backend, faces.crop(0, backend.architecture.size)[None])

    now = runner.run(encode_first)[0].astype(np.float64)
    then = records["features"][0].astype(np.float64)
    return bool(np.linalg.norm(now - then) <= ALIKE * np.linalg.norm(then))


def _check_memory(needed: int) -> None:
    free = psutil.virtual_memory().available
    if free < needed + SPARE_RAM_BYTES:
        raise CacheError(
            "cache_memory_full",
            f"{free // 1_000_000} MB of memory are left and the lip-sync cache needs "
            f"{(needed + SPARE_RAM_BYTES) // 1_000_000} MB. Set the cache to "
            '"disk" or "none", or use a shorter clip.',
            f"可用内存仅 {free // 1_000_000} MB，口型缓存需要 "
            f"{(needed + SPARE_RAM_BYTES) // 1_000_000} MB。请将缓存设为 disk 或 none，"
            "或使用更短的视频。",
        )
