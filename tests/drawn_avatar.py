"""A small avatar drawn by code: three layers, mouths with smiles, eyes with brows, geometry."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mien.media.tick import Image

SIDE = 256
MOUTH = (92, 116, 72, 56)
EYES = (84, 72, 88, 36)
OPENNESS, ROUNDING = (0.0, 0.5, 1.0), (-1.0, 0.0, 1.0)
TOML = """\
format = 2
kind = "atlas"
name = "drawn"
title = "Drawn"
title_zh = "画的"
size = [256, 256]
focus = [48, 24, 160, 160]
fps = 25
engines = ["viseme"]
license = "CC0-1.0"

[background]
centre = [214, 224, 228]
edge = [150, 168, 178]

[[layers]]
name = "back"
image = "back.webp"
motion = "back.npz"

[[layers]]
name = "body"
image = "body.webp"
motion = "body.npz"

[[layers]]
name = "head"
image = "head.webp"
motion = "head.npz"

[head]
neck = [128, 190]
chin = 176
face = "head"
"""


def write_avatar(folder: Path) -> Path:
    """The whole folder; returned."""
    folder.mkdir(parents=True)
    layers = {"back": _back(), "body": _body(), "head": _head(Looks())}
    for name, image in layers.items():
        _write(folder / f"{name}.webp", image)
    y, x = np.mgrid[0:32, 0:32] * 8.0 + 4
    relief = 60 * np.exp(-(((x - 128) / 50) ** 2) - ((y - 130) / 60) ** 2)
    fall = np.clip((240 - y) / 60, 0, 1)
    follow = {"back": fall, "body": fall, "head": np.ones_like(y)}
    for name in layers:
        depth = {"back": relief - 60, "body": relief * 0.3, "head": relief}[name]
        np.savez_compressed(folder / f"{name}.npz", depth=depth, follow=follow[name])
    lines = [TOML, *_mouths(folder), *_eyes(folder)]
    (folder / "avatar.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Looks:
    """One face. gaze: pixels right and down; brow: pixels down."""

    openness: float = 0.0
    rounding: float = 0.0
    smile: float = 0.0
    press: float = 0.0
    closure: float = 0.0
    gaze: tuple[int, int] = (0, 0)
    brow: int = 0


def _mouths(folder: Path) -> list[str]:
    shapes = [
        ({"openness": o, "rounding": r}, Looks(o, r))
        for o, r in itertools.product(OPENNESS, ROUNDING)
    ]
    shapes += [
        ({"openness": o, "rounding": 0.0, "smile": 1}, Looks(o, smile=1)) for o in (0.0, 1.0)
    ]
    shapes += [
        ({"consonant": "PP", "near": [0.0, 0.0]}, Looks(press=1)),
        ({"consonant": "FF", "near": [0.0, 0.0]}, Looks(0.1)),
    ]
    rows = [[f.openness, f.rounding, f.smile, f.press] for _, f in shapes]
    _save_morph(folder / "mouth.npz", rows, MOUTH, bend_smile=[0, 0, 1, 0])
    return _shapes(folder, "mouth", MOUTH, shapes)


def _eyes(folder: Path) -> list[str]:
    shapes = [({"closure": c}, Looks(closure=c)) for c in (0.0, 0.5, 1.0)]
    gazes = {"right": (4, 0), "left": (-4, 0), "up": (0, -3), "down": (0, 3)}
    shapes += [({"gaze": name}, Looks(gaze=to)) for name, to in gazes.items()]
    shapes += [({"brow": "up"}, Looks(brow=-4)), ({"brow": "frown"}, Looks(brow=3))]
    rows = [[f.closure, f.gaze[0] / 4, f.gaze[1] / 3, f.brow / 4] for _, f in shapes]
    _save_morph(folder / "eyes.npz", rows, EYES)
    return _shapes(folder, "eyes", EYES, shapes)


def _shapes(
    folder: Path,
    kind: str,
    box: tuple[int, int, int, int],
    shapes: list[tuple[dict[str, object], Looks]],
) -> list[str]:
    (folder / kind).mkdir()
    lines = ["", f"[{kind}]", f"box = {list(box)}", "feather = 6", f'morph = "{kind}.npz"']
    left, top, width, height = box
    for number, (place, looks) in enumerate(shapes):
        file = f"{kind}/{number}.webp"
        _write(folder / file, _head(looks)[top : top + height, left : left + width])
        values = [f"{key} = {value!r}".replace("'", '"') for key, value in place.items()]
        lines += ["", f"[[{kind}.shapes]]", f'image = "{file}"', *values]
    return lines


def _save_morph(
    file: Path, rows: list[list[float]], box: tuple[int, int, int, int], **bends: list[float]
) -> None:
    """Movement 0 lowers what is below the middle, the others nothing: enough to bend by."""
    n, k = len(rows), len(rows[0])
    gh, gw = box[3] // 4, box[2] // 4
    y, x = np.mgrid[0:gh, 0:gw]
    inside = np.sin(np.pi * x / (gw - 1)) * np.sin(np.pi * y / (gh - 1))
    fields = np.zeros((n, k, 2, gh, gw))
    fields[:, 0, 1] = 256 * 6 * inside * (y > gh / 2)
    np.savez_compressed(
        file,
        coefficients=np.array(rows, np.float32),
        fields=fields.round().astype(np.int16),
        **{name: np.array(values, np.float32) for name, values in bends.items()},
    )


def _back() -> Image:
    return _ellipse(_clear(), (128, 120), (62, 82), (40, 26, 20))


def _body() -> Image:
    image = _ellipse(_clear(), (128, 262), (96, 62), (60, 90, 150))
    cv2.rectangle(image, (108, 150), (148, 215), (208, 160, 140, 255), -1, cv2.LINE_AA)
    return image


def _head(looks: Looks) -> Image:
    image = _ellipse(_clear(), (128, 118), (50, 60), (224, 176, 154))
    wide = round(18 - 7 * looks.rounding + 4 * looks.smile)
    high = round((4 + 14 * looks.openness) * (1 - 0.5 * looks.press))
    _ellipse(image, (128, 144), (wide, high), (190, 92, 92))
    if looks.openness > 0.1:
        _ellipse(image, (128, 144), (wide - 5, max(1, high - 5)), (40, 16, 16))
    lids = round(7 * (1 - looks.closure))
    for side in (108, 148):
        if lids:
            _ellipse(image, (side, 94), (11, lids), (245, 245, 245))
            iris = (side + looks.gaze[0], 94 + looks.gaze[1])
            _ellipse(image, iris, (4, min(4, lids)), (50, 30, 20))
        else:
            _ellipse(image, (side, 94), (10, 1), (90, 60, 50))
        _ellipse(image, (side, 84 + looks.brow), (11, 2), (60, 40, 30))
    return image


def _clear() -> Image:
    return np.zeros((SIDE, SIDE, 4), np.uint8)


def _ellipse(
    image: Image, middle: tuple[int, int], half: tuple[int, int], colour: tuple[int, int, int]
) -> Image:
    """Filled, with a soft rim of half a pixel; colour is kept under what is clear."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    radius = np.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1])
    cover = np.clip((1 - radius) * min(half) + 0.5, 0, 1)[..., None]
    alpha = image[..., 3:] / 255.0
    total = cover + alpha * (1 - cover)
    mixed = (np.array(colour) * cover + image[..., :3] * alpha * (1 - cover)) / np.maximum(
        total, 1e-6
    )
    image[..., :3] = np.round(mixed)
    image[..., 3:] = np.round(total * 255)
    return image


def _write(file: Path, image: Image) -> None:
    bgra = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGBA2BGRA)
    assert cv2.imwrite(str(file), bgra, [cv2.IMWRITE_WEBP_QUALITY, 101])
