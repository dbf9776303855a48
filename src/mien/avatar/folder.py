"""Reading the files of an avatar folder, with errors that say which file and what to change."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.errors import AvatarError
from mien.avatar.image_header import HeaderError, image_size
from mien.media.tick import Image

FORMAT = 2

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def changed_at(folder: Path) -> int:
    """When the head of the folder was written, in ns; 0 if it is gone."""
    try:
        return (folder / "avatar.toml").stat().st_mtime_ns
    except OSError:
        return 0


def read_toml(folder: Path) -> dict[str, Any]:
    """The head of the folder, with format and name checked.

    Raises AvatarError when the folder is no avatar of a format this version reads.
    """
    file = folder / "avatar.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AvatarError(f"{folder} is no avatar: it has no avatar.toml") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AvatarError(f"{file} cannot be read: {error}") from error
    if data.get("format") != FORMAT:
        raise AvatarError(
            f"{file}: format is {data.get('format')!r}, this version reads {FORMAT}; "
            "build the avatar again or update mien"
        )
    if not isinstance(data.get("name"), str) or not data["name"]:
        raise AvatarError(f'{file}: give it a name, such as name = "{folder.name}"')
    return data


class Folder:
    """One avatar folder; every getter checks what it returns and raises AvatarError."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        """path: resolved; data: of its avatar.toml."""
        self.path, self.data = path, data

    def fail(self, what: str) -> AvatarError:
        return AvatarError(f"{self.path / 'avatar.toml'}: {what}")

    def table(self, data: dict[str, Any], key: str) -> dict[str, Any]:
        value = data.get(key)
        if not isinstance(value, dict):
            raise self.fail(f"the [{key}] table is missing")
        return value

    def tables(self, data: dict[str, Any], key: str, name: str) -> list[dict[str, Any]]:
        """A list of at least one table; ``name`` is how the toml spells it."""
        value = data.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            raise self.fail(f"there are no [[{name}]] tables: add at least one")
        return value

    def numbers(self, table: dict[str, Any], key: str, count: int) -> list[float]:
        value = table.get(key)
        values = [value] if count == 1 else value
        if not isinstance(values, list) or len(values) != count or not all(map(is_number, values)):
            raise self.fail(f"{key} must be {count} number(s), not {value!r}")
        return values

    def box(self, table: dict[str, Any], key: str, size: tuple[int, int], name: str) -> Box:
        """A rectangle of at least 16×16 pixels inside the canvas."""
        left, top, width, height = (int(v) for v in self.numbers(table, key, 4))
        inside = left >= 0 and top >= 0 and left + width <= size[0] and top + height <= size[1]
        if not inside or width < 16 or height < 16:
            raise self.fail(
                f"{name} {table[key]} must be left, top, width, height of a rectangle of at "
                f"least 16×16 pixels inside the picture of {size[0]}×{size[1]}"
            )
        return (left, top, width, height)

    def colour(self, table: dict[str, Any], key: str) -> tuple[int, int, int]:
        r, g, b = (int(v) for v in self.numbers(table, key, 3))
        if not all(0 <= v <= 255 for v in (r, g, b)):
            raise self.fail(f"{key} must be red, green, blue of 0…255")
        return (r, g, b)

    def file(self, table: dict[str, Any], key: str) -> Path:
        name = table.get(key)
        if not isinstance(name, str) or not name:
            raise self.fail(f"{key} must name a file in the folder")
        path = (self.path / name).resolve()
        if not path.is_relative_to(self.path):
            raise self.fail(f"{key} = {name!r} leads out of the folder; copy the file into it")
        if not path.is_file():
            raise AvatarError(f"{path} is missing; {self.path / 'avatar.toml'} names it")
        return path

    def image(self, table: dict[str, Any], key: str, size: tuple[int, int]) -> Image:
        """uint8[h, w, 4] RGBA, straight alpha; a picture without alpha is opaque."""
        path = self.file(table, key)
        data = path.read_bytes()
        try:
            found = image_size(data)
        except HeaderError:
            raise self._unreadable(path) from None
        if found != size:  # known before anything is decoded
            raise AvatarError(
                f"{path} has {found[0]}×{found[1]} pixels, expected {size[0]}×{size[1]}"
            )
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.dtype != np.uint8:
            raise self._unreadable(path)
        channels = 1 if raw.ndim == 2 else raw.shape[2]
        code = {1: cv2.COLOR_GRAY2RGBA, 3: cv2.COLOR_BGR2RGBA, 4: cv2.COLOR_BGRA2RGBA}[channels]
        return np.asarray(cv2.cvtColor(raw, code), np.uint8)

    def _unreadable(self, path: Path) -> AvatarError:
        return AvatarError(f"{path} is no readable 8-bit picture (WebP, PNG or JPEG)")

    def arrays(
        self, table: dict[str, Any], key: str, needed: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        path = self.file(table, key)
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise AvatarError(f"{path} is no readable .npz: {error}") from error
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise AvatarError(f"{path} lacks the array {missing[0]!r}")
        return arrays


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def within(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
