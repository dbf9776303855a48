"""From a portrait to the files of an avatar folder: pictures, their geometry, and avatar.toml."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.articulation import CONSONANTS, OPENNESS, ROUNDING, Articulation, vowel
from mien.avatar.photo.eyes import CLOSURES, GAZES, MOVEMENTS, EyePainter
from mien.avatar.photo.mouth import Drawn, MouthPainter
from mien.media.tick import Image

FIELD_CELL = 8  # pixels of the coarse grid that the runtime bends pictures with
THREADS = 2
KEPT = 0.9995  # of the squared movement; the rest is below a tenth of a pixel
QUALITY = 90

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """Pictures of mouth or eyes: uint8[h, w, 4] RGBA each, what avatar.toml says of each, and
    the arrays of its .npz."""

    images: list[Image]
    shapes: list[dict[str, Any]]
    arrays: dict[str, NDArray[Any]]


def mouths(painter: MouthPainter, on_progress: Callable[[float], None]) -> Part:
    """Every vowel of the grid and every consonant."""
    wanted: list[tuple[dict[str, Any], Articulation]] = []
    for openness in OPENNESS:
        for rounding in ROUNDING:
            name = f"mouth/o{openness:.2f}r{rounding:+.1f}.webp"
            place = {"image": name, "openness": openness, "rounding": rounding}
            wanted.append((place, vowel(openness, rounding)))
    for consonant, (shape, near) in CONSONANTS.items():
        place = {"image": f"mouth/{consonant}.webp", "consonant": consonant, "near": list(near)}
        wanted.append((place, shape))
    drawn: list[Drawn] = []
    with ThreadPoolExecutor(THREADS) as pool:  # OpenCV and NumPy let go of the interpreter
        for one in pool.map(painter.draw, [shape for _, shape in wanted]):
            drawn.append(one)
            on_progress(len(drawn) / len(wanted))
    smile = painter.moves(Articulation(smile=1.0))
    rest = painter.moves(Articulation())
    moves = np.stack([d.moves for d in drawn])
    basis = _principal(np.concatenate([moves - rest, (smile - rest)[None]]))
    movements = [painter.movement(b) for b in basis]
    flat = (moves - rest).reshape(len(moves), -1)
    coefficients = flat @ basis.reshape(len(basis), -1).T
    bend = basis.reshape(len(basis), -1) @ (smile - rest).ravel()
    arrays: dict[str, NDArray[Any]] = {
        "coefficients": coefficients.astype(np.float32),
        "fields": _packed([painter.fields(d, movements, FIELD_CELL) for d in drawn]),
        "bend_smile": bend.astype(np.float32),
    }
    return Part([d.image for d in drawn], [place for place, _ in wanted], arrays)


def eyes(painter: EyePainter) -> Part:
    """Closing lids, and glances."""
    shapes: list[dict[str, Any]] = []
    images: list[Image] = []
    coefficients: list[list[float]] = []
    fields: list[Floats] = []
    size = (max(4, painter.box[2] // FIELD_CELL), max(4, painter.box[3] // FIELD_CELL))
    for closure in CLOSURES:
        shapes.append({"image": f"eyes/closed{closure:.2f}.webp", "closure": closure})
        images.append(painter.closed(closure))
        coefficients.append([closure, 0, 0, 0, 0])
        fields.append(painter.fields(closure, None, size))
    for gaze, (x, y) in GAZES.items():
        shapes.append({"image": f"eyes/look_{gaze}.webp", "gaze": gaze})
        images.append(painter.glancing(gaze))
        coefficients.append([0, x, -y, 0, 0])
        fields.append(painter.fields(0.0, gaze, size))
    unit = np.eye(len(MOVEMENTS), dtype=np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "coefficients": np.array(coefficients, np.float32),
        "fields": _packed(fields),
        "bend_brow_up": unit[MOVEMENTS.index("brow_up")],
        "bend_brow_down": unit[MOVEMENTS.index("brow_down")],
    }
    return Part(images, shapes, arrays)


def write_picture(path: Path, image: Image) -> None:
    """image: uint8[h, w, 3 or 4] RGB or RGBA; alpha is left out where all of it is opaque."""
    path.parent.mkdir(exist_ok=True)
    if image.shape[2] == 4 and image[..., 3].min() == 255:
        image = image[..., :3]
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    ok, data = cv2.imencode(".webp", cv2.cvtColor(image, code), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not ok:
        raise OSError(f"{path} could not be encoded")
    path.write_bytes(data.tobytes())


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """A compressed .npz without pickle."""
    with open(path, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def toml(data: dict[str, Any]) -> str:
    """TOML of strings, numbers, lists of these, tables and lists of tables."""
    lines = [f"{key} = {_value(v)}" for key, v in data.items() if not _nested(v)]
    for key, value in data.items():
        if isinstance(value, dict):
            own = {k: v for k, v in value.items() if not _nested(v)}
            lines += ["", f"[{key}]", *(f"{k} = {_value(v)}" for k, v in own.items())]
            lists = {f"{key}.{k}": v for k, v in value.items() if _nested(v)}
        else:
            lists = {key: value} if _nested(value) else {}
        for name, tables in lists.items():
            for table in tables:
                lines += ["", f"[[{name}]]", *(f"{k} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _nested(value: Any) -> bool:
    tables = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    return isinstance(value, dict) or tables


def _value(value: Any) -> str:
    # JSON's strings, numbers and lists are TOML's too, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _principal(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[k, m, 2]: orthonormal movements that span all of moves float64[n, m, 2]."""
    flat = moves.reshape(len(moves), -1)
    _, sizes, basis = np.linalg.svd(flat, full_matrices=False)
    share = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-12)
    count = int(np.searchsorted(share, KEPT)) + 1
    return np.asarray(basis[:count].reshape(count, *moves.shape[1:]))


def _packed(fields: list[Floats]) -> NDArray[np.int16]:
    """int16[n, k, 2, gh, gw] of 1/256 pixel."""
    scaled = np.round(np.stack(fields) * 256)
    return np.clip(scaled, -32768, 32767).astype(np.int16)
