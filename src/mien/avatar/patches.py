"""The mouths and eyes of an avatar folder: pictures of one box, and where each has its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.avatar.folder import Box, Folder, within
from mien.media.tick import Image

CONSONANTS = ("PP", "FF", "TH", "CH", "SS")
GAZES = ("right", "left", "up", "down")
BROWS = ("up", "frown")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MouthPlace:
    """What one picture of a mouth shows. consonant: "" for a vowel; else openness and rounding
    are the vowel it is entered from. smile: 0 or 1."""

    openness: float
    rounding: float
    smile: int = 0
    consonant: str = ""


@dataclass(frozen=True, slots=True)
class EyePlace:
    """What one picture of the eyes shows: lids (closure), a glance or the brows."""

    closure: float = 0.0
    gaze: str = ""
    brow: str = ""


P = TypeVar("P")


@dataclass(frozen=True)
class Patches(Generic[P]):
    """Pictures of one part of the face, all on the same box of the canvas.

    images: uint8[n, h, w, 4] RGBA, straight alpha. places: of each picture. feather: pixels.
    coefficients: float32[n, k], fields: float32[n, k, 2, gh, gw] pixels, bends: name →
    float32[k]: see ``mien.avatar.morph``; None and empty where the folder gives no geometry.
    """

    box: Box
    feather: float
    images: Image
    places: tuple[P, ...]
    coefficients: Floats | None
    fields: Floats | None
    bends: Mapping[str, Floats]


def read_mouth(folder: Folder, size: tuple[int, int]) -> Patches[MouthPlace]:
    shapes = folder.tables(folder.table(folder.data, "mouth"), "shapes", "mouth.shapes")
    places = tuple(_mouth_place(folder, shape) for shape in shapes)
    for smile in (0, 1):
        cells = [(p.openness, p.rounding) for p in places if not p.consonant and p.smile == smile]
        if cells or smile == 0:
            _check_grid(folder, cells, " with smile = 1" if smile else "")
    held = [(p.consonant, p.smile) for p in places if p.consonant]
    if len(set(held)) != len(held):
        raise folder.fail("a consonant occurs twice in [[mouth.shapes]]; keep one of them")
    if any(p.smile for p in places) and all(p.consonant for p in places if p.smile):
        raise folder.fail("smile = 1 needs vowels too: openness 0 and 1 at rounding 0")
    return _patches(folder, "mouth", size, shapes, places)


def read_eyes(folder: Folder, size: tuple[int, int]) -> Patches[EyePlace] | None:
    """None when the folder has no [eyes]."""
    if "eyes" not in folder.data:
        return None
    shapes = folder.tables(folder.table(folder.data, "eyes"), "shapes", "eyes.shapes")
    places = tuple(_eye_place(folder, shape) for shape in shapes)
    closures = [p.closure for p in places if not p.gaze and not p.brow]
    if not {0, 1} <= set(closures) or len(set(closures)) != len(closures):
        raise folder.fail("eyes need one shape each for closure 0 (open) and 1 (closed)")
    return _patches(folder, "eyes", size, shapes, places)


def _mouth_place(folder: Folder, shape: dict[str, Any]) -> MouthPlace:
    smile = shape.get("smile", 0)
    if smile not in (0, 1):
        raise folder.fail(f"smile must be 0 or 1, not {smile!r}")
    if "consonant" not in shape:
        openness, rounding = shape.get("openness"), shape.get("rounding")
        if not within(openness, 0, 1) or not within(rounding, -1, 1):
            raise folder.fail(
                "every mouth shape needs openness 0…1 and rounding -1…1, or a consonant; "
                f"{shape.get('image')} has openness {openness!r}, rounding {rounding!r}"
            )
        return MouthPlace(float(openness or 0), float(rounding or 0), int(smile))
    consonant = shape["consonant"]
    if consonant not in CONSONANTS:
        raise folder.fail(f"consonant {consonant!r} is none of {', '.join(CONSONANTS)}")
    near = folder.numbers(shape, "near", 2)
    return MouthPlace(float(near[0]), float(near[1]), int(smile), consonant)


def _check_grid(folder: Folder, cells: list[tuple[float, float]], of: str) -> None:
    rows, columns = {c[0] for c in cells}, {c[1] for c in cells}
    if len(set(cells)) != len(cells) or len(cells) != len(rows) * len(columns):
        raise folder.fail(
            f"the mouth shapes{of} must fill a grid: one picture for each openness × rounding; "
            f"found {len(cells)} for {len(rows)} × {len(columns)}"
        )
    if not {0, 1} <= rows or 0 not in columns:
        raise folder.fail(f"the mouth shapes{of} need openness 0 and 1, and rounding 0")


def _eye_place(folder: Folder, shape: dict[str, Any]) -> EyePlace:
    if "gaze" in shape:
        if shape["gaze"] not in GAZES:
            raise folder.fail(f"gaze {shape['gaze']!r} is none of {', '.join(GAZES)}")
        return EyePlace(gaze=shape["gaze"])
    if "brow" in shape:
        if shape["brow"] not in BROWS:
            raise folder.fail(f"brow {shape['brow']!r} is none of {', '.join(BROWS)}")
        return EyePlace(brow=shape["brow"])
    closure = shape.get("closure")
    if not within(closure, 0, 1):
        raise folder.fail(
            "every eye shape needs closure 0…1, gaze or brow; "
            f"{shape.get('image')} has closure {closure!r}"
        )
    return EyePlace(closure=float(closure or 0))


def _patches(
    folder: Folder,
    kind: str,
    size: tuple[int, int],
    shapes: list[dict[str, Any]],
    places: tuple[P, ...],
) -> Patches[P]:
    table = folder.table(folder.data, kind)
    box = folder.box(table, "box", size, f"{kind}.box")
    images = np.stack([folder.image(shape, "image", box[2:]) for shape in shapes])
    images.setflags(write=False)
    coefficients, fields, bends = _morph(folder, kind, table, len(shapes))
    feather = folder.numbers(table, "feather", 1)[0] if "feather" in table else box[3] / 12
    return Patches(box, float(feather), images, places, coefficients, fields, bends)


def _morph(
    folder: Folder, kind: str, table: dict[str, Any], count: int
) -> tuple[Floats | None, Floats | None, dict[str, Floats]]:
    if "morph" not in table:
        return None, None, {}
    arrays = folder.arrays(table, "morph", ("coefficients", "fields"))
    coefficients = arrays["coefficients"].astype(np.float32)
    fields = arrays["fields"].astype(np.float32) * np.float32(1 / 256)
    n, k = coefficients.shape if coefficients.ndim == 2 else (0, 0)
    if n != count or fields.ndim != 5 or fields.shape[:3] != (n, k, 2):
        raise folder.fail(
            f"{kind}.morph does not fit its {count} shapes: coefficients "
            f"{coefficients.shape}, fields {fields.shape}; expected [n, k], [n, k, 2, h, w]"
        )
    if not np.isfinite(coefficients).all():
        raise folder.fail(f"{kind}.morph: coefficients must be finite numbers")
    bends = {}
    for key, value in arrays.items():
        if key.startswith("bend_"):
            if value.shape != (k,):
                raise folder.fail(f"{kind}.morph: {key} must have {k} numbers")
            bends[key.removeprefix("bend_")] = value.astype(np.float32)
    for array in (coefficients, fields, *bends.values()):
        array.setflags(write=False)
    return coefficients, fields, bends
