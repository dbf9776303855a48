"""An avatar folder on disk, read and checked. The format is in docs/avatars.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.avatar.folder import Box, Folder, read_toml
from mien.avatar.patches import EyePlace, MouthPlace, Patches, read_eyes, read_mouth
from mien.media.tick import Image

MAX_SIDE = 2048

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One part of the figure.

    image: uint8[h, w, 4] RGBA, straight alpha, of ``box`` of the canvas.
    depth: float32[gh, gw] over the whole canvas, pixels in front of the neck's axis; follow:
    float32[gh, gw], 0…1, share of the head's turn. None: those of an average head.
    """

    name: str
    image: Image
    box: Box
    depth: Floats | None
    follow: Floats | None


@dataclass(frozen=True)
class Package:
    """Everything in the folder, checked. Arrays are read-only; all lengths in canvas pixels.

    size: width, height of the canvas. focus: the close-up a square picture shows. layers: back
    to front; face: index of the one that eyes and mouth are painted on. neck: x, y the head
    turns about. chin: y where the head ends. centre, edge: RGB of the default background.
    backdrop: uint8[H, W, 3] RGB of the whole canvas, behind the figure by default; or None.
    """

    path: Path
    name: str
    title: str
    title_zh: str
    size: tuple[int, int]
    focus: Box
    engines: tuple[str, ...]
    license: str
    layers: tuple[Layer, ...]
    face: int
    neck: tuple[float, float]
    chin: float
    mouth: Patches[MouthPlace]
    eyes: Patches[EyePlace] | None
    centre: tuple[int, int, int]
    edge: tuple[int, int, int]
    backdrop: Image | None = None


def read_package(path: Path) -> Package:
    """Reads and checks an atlas avatar; raises AvatarError."""
    path = path.resolve()
    data = read_toml(path)
    folder = Folder(path, data)
    if data.get("kind") != "atlas":
        raise folder.fail(f'kind is {data.get("kind")!r}, expected "atlas"')
    if data.get("fps", 25) != 25:
        raise folder.fail(f"fps is {data['fps']}, only 25 is supported")
    engines = data.get("engines", ["viseme"])
    if not isinstance(engines, list) or not all(isinstance(e, str) for e in engines):
        raise folder.fail('engines must be a list of names, such as ["viseme"]')
    size = _size(folder)
    tables = folder.tables(data, "layers", "layers")
    layers = tuple(_layer(folder, table, size) for table in tables)
    head = folder.table(data, "head")
    neck = folder.numbers(head, "neck", 2)
    background = folder.table(data, "background")
    return Package(
        path=path,
        name=data["name"],
        title=str(data.get("title", data["name"])),
        title_zh=str(data.get("title_zh", data.get("title", data["name"]))),
        size=size,
        focus=folder.box(data, "focus", size, "focus") if "focus" in data else (0, 0, *size),
        engines=tuple(engines),
        license=str(data.get("license", "")),
        layers=layers,
        face=_face(folder, head, layers),
        neck=(float(neck[0]), float(neck[1])),
        chin=float(folder.numbers(head, "chin", 1)[0]),
        mouth=read_mouth(folder, size),
        eyes=read_eyes(folder, size),
        centre=folder.colour(background, "centre"),
        edge=folder.colour(background, "edge"),
        backdrop=_backdrop(folder, background, size),
    )


def _size(folder: Folder) -> tuple[int, int]:
    width, height = (int(v) for v in folder.numbers(folder.data, "size", 2))
    if not all(64 <= v <= MAX_SIDE and v % 2 == 0 for v in (width, height)):
        raise folder.fail(
            f"size must be two even numbers of 64…{MAX_SIDE}, not {folder.data['size']}"
        )
    return (width, height)


def _backdrop(folder: Folder, table: dict[str, Any], size: tuple[int, int]) -> Image | None:
    if "image" not in table:
        return None
    image = np.ascontiguousarray(folder.image(table, "image", size)[..., :3])
    image.setflags(write=False)
    return image


def _layer(folder: Folder, table: dict[str, Any], size: tuple[int, int]) -> Layer:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise folder.fail('every [[layers]] needs a name, such as name = "head"')
    box = folder.box(table, "box", size, f"{name}: box") if "box" in table else (0, 0, *size)
    image = folder.image(table, "image", box[2:])
    image.setflags(write=False)
    if "motion" not in table:
        return Layer(name, image, box, None, None)
    arrays = folder.arrays(table, "motion", ("depth", "follow"))
    for key in ("depth", "follow"):
        array = arrays[key]
        fine = array.ndim == 2 and min(array.shape) >= 4 and array.dtype.kind in "fiu"
        if not fine or not np.isfinite(array).all():
            raise folder.fail(
                f"{name}: {key} in {table['motion']} must be finite numbers [gh, gw], at least "
                f"4×4, not {array.dtype}{list(array.shape)}"
            )
    depth = arrays["depth"].astype(np.float32)
    follow = arrays["follow"].astype(np.float32)
    if follow.min() < 0 or follow.max() > 1:
        raise folder.fail(f"{name}: follow in {table['motion']} must lie in 0…1")
    depth.setflags(write=False)
    follow.setflags(write=False)
    return Layer(name, image, box, depth, follow)


def _face(folder: Folder, head: dict[str, Any], layers: tuple[Layer, ...]) -> int:
    names = [layer.name for layer in layers]
    if len(set(names)) != len(names):
        raise folder.fail(f"the layers' names must differ: {', '.join(names)}")
    face = head.get("face", names[-1])
    if face not in names:
        raise folder.fail(f"head.face is {face!r}, expected a layer: {', '.join(names)}")
    return names.index(face)
