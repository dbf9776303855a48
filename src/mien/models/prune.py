"""What lies among the models and their caches without being needed any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mien.models.caches import Weights, unused_caches
from mien.models.catalogue import catalogue, model
from mien.models.errors import ModelError
from mien.models.lock import locked
from mien.models.store import LOCK, RECORD, installed, restore, store_folder

INCOMING = ".incoming"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder that can go. size: bytes. en, zh: what it is."""

    path: Path
    size: int
    en: str
    zh: str


def leftovers(named: Weights | None = None) -> list[Leftover]:
    """Everything that can go; what a running process fetches is left out.

    named: weights outside the store that settings name; what was made of them is needed.

    Raises ModelError "catalogue": if it cannot be read, every model of it would look unknown.
    """
    known = set(catalogue(strict=True))
    return [*_half_fetched(known), *_in_store(known), *_caches(named or {})]


def remove(found: Leftover) -> None:
    """Delete it. Raises OSError; ModelError "busy" where it is needed again meanwhile."""
    if found.path.parent.name == INCOMING:
        with locked(found.path / LOCK, found.path.name):
            shutil.rmtree(found.path)
    elif found.path.is_symlink() or found.path.is_file():
        found.path.unlink(missing_ok=True)
    else:
        shutil.rmtree(found.path)


def _half_fetched(known: set[str]) -> Iterator[Leftover]:
    for folder in _entries(store_folder() / INCOMING):
        if not folder.is_dir():
            continue
        with suppress(ModelError), locked(folder / LOCK, folder.name):
            if folder.name in known:
                restore(model(folder.name))
            if size := _size(folder):
                yield Leftover(folder, size, "half fetched", "未下载完成")


def _in_store(known: set[str]) -> Iterator[Leftover]:
    for entry in _entries(store_folder()):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        if entry.name not in known:
            yield Leftover(entry, _size(entry), "no model of any catalogue", "不属于任何模型目录")
        elif (found := installed(entry.name)) is None:
            if not (store_folder() / INCOMING / entry.name).exists():
                yield Leftover(entry, _size(entry), "a model that lacks files", "文件不完整的模型")
        else:
            names = {RECORD, *(file.name for file in found.files)}
            for path in sorted(entry.rglob("*")):
                if path.is_file() and path.relative_to(entry).as_posix() not in names:
                    yield Leftover(path, _size(path), "did not come with the model", "不属于该模型")


def _caches(named: Weights) -> Iterator[Leftover]:
    for engine, entry in unused_caches(named):
        yield Leftover(
            entry,
            _size(entry),
            f"made by optimize of {engine} weights that are neither here nor in your settings",
            f"由 optimize 生成，对应的 {engine} 权重既不在模型中，也不在设置中",
        )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int:
    """Bytes of it and of all below; links count as nothing."""
    if path.is_symlink():
        return 0
    if path.is_file():
        return path.stat().st_size
    return sum(_size(entry) for entry in _entries(path) if entry.name != LOCK)


def half_fetched(name: str) -> int:
    """Bytes of the model that an interrupted pull has left."""
    folder = store_folder() / INCOMING / name
    return _size(folder) if folder.is_dir() else 0
