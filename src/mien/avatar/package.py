"""An avatar folder on disk: found, read, and checked. The format is in docs/avatars.md."""

from __future__ import annotations

import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.errors import AvatarError
from mien.media.tick import Image

FORMAT = 1
MAX_SIDE = 2048
CONSONANTS = ("PP", "FF", "TH", "CH", "SS")
GAZES = ("right", "left", "up", "down")

A = TypeVar("A", bound=NDArray[Any])

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


@dataclass(frozen=True)
class Patches:
    """Pictures of one part of the face, all on the same box.

    images: uint8[n, h, w, 3] RGB. places: what the toml says of each.
    coefficients: float32[n, k], fields: float32[n, k, 2, gh, gw], bends: name → float32[k]: see
    ``mien.avatar.morph``; None and empty where the folder gives no geometry.
    """

    box: Box
    feather: int
    images: Image
    places: tuple[dict[str, Any], ...]
    coefficients: NDArray[np.float32] | None
    fields: NDArray[np.float32] | None
    bends: dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Package:
    """Everything in the folder, checked. Arrays are read-only.

    figure: uint8[H, W, 4] RGBA, straight alpha. depth: float32[gh, gw] pixels in front of the
    neck's axis, or None. neck: x, y the head turns about. chin: y where the head ends.
    centre, edge: RGB of the default background.
    """

    path: Path
    name: str
    title: str
    size: tuple[int, int]
    engines: tuple[str, ...]
    license: str
    figure: Image
    depth: NDArray[np.float32] | None
    neck: tuple[float, float]
    chin: float
    mouth: Patches
    eyes: Patches | None
    centre: tuple[int, int, int]
    edge: tuple[int, int, int]


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


def read_package(folder: Path) -> Package:
    """Reads and checks an atlas avatar; raises AvatarError."""
    folder = folder.resolve()
    reader = _Reader(folder, read_toml(folder))
    return reader.package()


class _Reader:
    def __init__(self, folder: Path, data: dict[str, Any]) -> None:
        self.folder, self.data = folder, data

    def fail(self, what: str) -> AvatarError:
        return AvatarError(f"{self.folder / 'avatar.toml'}: {what}")

    def package(self) -> Package:
        data = self.data
        if data.get("kind") != "atlas":
            raise self.fail(f'kind is {data.get("kind")!r}, expected "atlas"')
        width, height = self.numbers(data, "size", 2)
        if not all(64 <= v <= MAX_SIDE and v % 2 == 0 for v in (width, height)):
            raise self.fail(f"size must be two even numbers of 64…{MAX_SIDE}, not {data['size']}")
        size = (int(width), int(height))
        if data.get("fps", 25) != 25:
            raise self.fail(f"fps is {data['fps']}, only 25 is supported")
        table = self.table(data, "figure")
        figure = self.image(table, "image", size, alpha=True)
        neck = self.numbers(table, "neck", 2)
        chin = self.numbers(table, "chin", 1)[0]
        depth = None
        if "motion" in table:
            depth = self.arrays(table, "motion", ("depth",))["depth"].astype(np.float32)
            if depth.ndim != 2 or min(depth.shape) < 4 or not np.isfinite(depth).all():
                raise self.fail("figure.motion: depth must be a finite float[gh, gw]")
        background = self.table(data, "background")
        engines = data.get("engines", ["viseme"])
        if not isinstance(engines, list) or not all(isinstance(e, str) for e in engines):
            raise self.fail('engines must be a list of names, such as ["viseme"]')
        return Package(
            path=self.folder,
            name=data["name"],
            title=str(data.get("title", data["name"])),
            size=size,
            engines=tuple(engines),
            license=str(data.get("license", "")),
            figure=_frozen(figure),
            depth=None if depth is None else _frozen(depth),
            neck=(float(neck[0]), float(neck[1])),
            chin=float(chin),
            mouth=self.mouth(size),
            eyes=self.eyes(size) if "eyes" in data else None,
            centre=self.colour(background, "centre"),
            edge=self.colour(background, "edge"),
        )

    def mouth(self, size: tuple[int, int]) -> Patches:
        patches = self.patches("mouth", size)
        cells = [
            (p.get("openness"), p.get("rounding")) for p in patches.places if "consonant" not in p
        ]
        if not all(_in(o, 0, 1) and _in(r, -1, 1) for o, r in cells):
            raise self.fail(
                "every mouth shape needs openness 0…1 and rounding -1…1, or a consonant"
            )
        rows, columns = {c[0] for c in cells}, {c[1] for c in cells}
        if len(set(cells)) != len(cells) or len(cells) != len(rows) * len(columns):
            raise self.fail(
                "the mouth shapes must fill a grid: one picture for each openness × rounding; "
                f"found {len(cells)} for {len(rows)} × {len(columns)}"
            )
        if not {0, 1} <= rows or 0 not in columns:
            raise self.fail("the mouth grid needs openness 0 and 1, and rounding 0")
        for place in patches.places:
            if "consonant" in place:
                if place["consonant"] not in CONSONANTS:
                    raise self.fail(f"consonant {place['consonant']!r} is none of {CONSONANTS}")
                near = place.get("near")
                if not isinstance(near, list) or len(near) != 2 or not all(map(_number, near)):
                    raise self.fail(f"{place['consonant']}: near must be [openness, rounding]")
        return patches

    def eyes(self, size: tuple[int, int]) -> Patches:
        patches = self.patches("eyes", size)
        closures = [p.get("closure") for p in patches.places if "gaze" not in p]
        if not all(_in(c, 0, 1) for c in closures) or not {0, 1} <= set(closures):
            raise self.fail("eyes need shapes with closure 0 (open) and 1 (closed)")
        unknown = [p["gaze"] for p in patches.places if p.get("gaze", "up") not in GAZES]
        if unknown:
            raise self.fail(f"gaze {unknown[0]!r} is none of {GAZES}")
        return patches

    def patches(self, kind: str, size: tuple[int, int]) -> Patches:
        table = self.table(self.data, kind)
        left, top, width, height = (int(v) for v in self.numbers(table, "box", 4))
        inside = left >= 0 and top >= 0 and left + width <= size[0] and top + height <= size[1]
        if not inside or width < 16 or height < 16:
            raise self.fail(f"{kind}.box {table['box']} does not lie inside the picture {size}")
        shapes = table.get("shapes")
        if not isinstance(shapes, list) or not shapes:
            raise self.fail(f"{kind} has no shapes: add [[{kind}.shapes]] tables")
        images = [self.image(s, "image", (width, height), alpha=False) for s in shapes]
        coefficients, fields, bends = None, None, {}
        if "morph" in table:
            arrays = self.arrays(table, "morph", ("coefficients", "fields"))
            coefficients = arrays["coefficients"].astype(np.float32)
            fields = arrays["fields"].astype(np.float32) * np.float32(1 / 256)
            n, k = coefficients.shape if coefficients.ndim == 2 else (0, 0)
            if n != len(images) or fields.ndim != 5 or fields.shape[:3] != (n, k, 2):
                raise self.fail(
                    f"{kind}.morph does not fit its {len(images)} shapes: coefficients "
                    f"{coefficients.shape}, fields {fields.shape}; expected [n, k], [n, k, 2, h, w]"
                )
            for key, value in arrays.items():
                if key.startswith("bend_"):
                    if value.shape != (k,):
                        raise self.fail(f"{kind}.morph: {key} must have {k} numbers")
                    bends[key.removeprefix("bend_")] = _frozen(value.astype(np.float32))
        return Patches(
            box=(left, top, width, height),
            feather=int(self.numbers(table, "feather", 1)[0]) if "feather" in table else 12,
            images=_frozen(np.stack(images)),
            places=tuple({k: v for k, v in s.items() if k != "image"} for s in shapes),
            coefficients=None if coefficients is None else _frozen(coefficients),
            fields=None if fields is None else _frozen(fields),
            bends=bends,
        )

    def table(self, data: dict[str, Any], key: str) -> dict[str, Any]:
        value = data.get(key)
        if not isinstance(value, dict):
            raise self.fail(f"the [{key}] table is missing")
        return value

    def numbers(self, table: dict[str, Any], key: str, count: int) -> list[float]:
        value = table.get(key)
        values = [value] if count == 1 else value
        if not isinstance(values, list) or len(values) != count or not all(map(_number, values)):
            raise self.fail(f"{key} must be {count} number(s), not {value!r}")
        return values

    def colour(self, table: dict[str, Any], key: str) -> tuple[int, int, int]:
        r, g, b = (int(v) for v in self.numbers(table, key, 3))
        if not all(0 <= v <= 255 for v in (r, g, b)):
            raise self.fail(f"{key} must be red, green, blue of 0…255")
        return (r, g, b)

    def file(self, table: dict[str, Any], key: str) -> Path:
        name = table.get(key)
        if not isinstance(name, str) or not name:
            raise self.fail(f"{key} must name a file in the folder")
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder):
            raise self.fail(f"{key} = {name!r} leads out of the folder; copy the file into it")
        if not path.is_file():
            raise AvatarError(f"{path} is missing; {self.folder / 'avatar.toml'} names it")
        return path

    def image(
        self, table: dict[str, Any], key: str, size: tuple[int, int], *, alpha: bool
    ) -> Image:
        path = self.file(table, key)
        flag = cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR
        try:
            raw = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flag)
        except cv2.error:  # an empty file
            raw = None
        if raw is None or raw.dtype != np.uint8:
            raise AvatarError(f"{path} is no readable 8-bit picture (WebP, PNG or JPEG)")
        if raw.shape[1::-1] != size:
            raise AvatarError(f"{path} has {raw.shape[1::-1]} pixels, expected {size}")
        if not alpha:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGB), np.uint8)
        if raw.ndim != 3 or raw.shape[2] != 4:
            raise AvatarError(f"{path} needs an alpha channel (the background shows through it)")
        return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGRA2RGBA), np.uint8)

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


def _frozen(array: A) -> A:
    array.setflags(write=False)
    return array


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
