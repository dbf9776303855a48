"""A clip avatar's folder made by code: our presenter moves about, and where her face is is known.

Her pictures are shifted by parts of pixels along a smooth path, so that boxes and landmarks are
exact by construction. Mouths that an engine might paint are cut from renders of other mouths.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.background import Background
from mien.avatar.clip.package import cropped
from mien.avatar.clip.points import POINTS
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

CANVAS = 640
SIZE = (480, 360)
COUNT = 24
LOWER = (0.0, 0.5, 1.0, 0.5)  # what an engine that decodes the lower half covers

# Face Mesh's points on the presenter at rest, thousandths of her picture; only those that are used.
# fmt: off
POINTS_OF_MEI = {
    0: (497, 524), 1: (495, 482), 2: (496, 495), 17: (497, 563), 33: (403, 388), 37: (481, 521),
    39: (465, 523), 40: (455, 527), 58: (371, 530), 61: (442, 531), 84: (481, 561), 91: (456, 546),
    93: (358, 459), 97: (483, 494), 98: (464, 488), 132: (362, 494), 133: (463, 394),
    136: (398, 580), 146: (448, 539), 148: (471, 630), 149: (435, 610), 150: (419, 598),
    152: (496, 633), 172: (383, 559), 176: (452, 622), 181: (467, 555), 185: (446, 528),
    234: (356, 426), 263: (603, 389), 267: (513, 522), 269: (530, 524), 270: (542, 527),
    288: (638, 532), 291: (556, 532), 314: (513, 562), 321: (540, 547), 323: (657, 461),
    326: (511, 494), 327: (531, 488), 361: (650, 497), 362: (539, 394), 365: (603, 582),
    375: (549, 539), 377: (522, 631), 378: (561, 613), 379: (579, 600), 397: (621, 561),
    400: (542, 623), 405: (528, 556), 409: (551, 529), 454: (661, 428),
}
# fmt: on
BOX_OF_MEI = (0.361, 0.283, 0.656, 0.653)  # left, top, right, bottom; shares of her picture


@cache
def presenter(openness: float = 0.0, rounding: float = 0.0) -> Image:
    """uint8[640, 640, 3] RGB: the presenter before a plain wall, with this mouth."""
    wall = Background("colour", (150, 168, 178))
    avatar = load_avatar("mei", (CANVAS, CANVAS), wall)
    return avatar.compose(0, Mouth(MouthShape(openness, rounding)), Pose())


def path(frame: int) -> tuple[float, float]:
    """Where the picture's left top corner lies in ``presenter``, pixels."""
    return 80 + 3.3 * np.sin(frame / 5), 96 + 2.1 * np.sin(frame / 7 + 1)


def picture(frame: int, openness: float = 0.0, rounding: float = 0.0) -> Image:
    """uint8[360, 480, 3] RGB: what was filmed as ``frame``, or would have been with this mouth."""
    x, y = path(frame)
    place = np.array([[1, 0, -x], [0, 1, -y]])
    return np.asarray(cv2.warpAffine(presenter(openness, rounding), place, SIZE), np.uint8)


def boxes(count: int = COUNT) -> NDArray[np.float32]:
    box = np.array(BOX_OF_MEI) * CANVAS
    return np.array([box - np.array([*path(f), *path(f)]) for f in range(count)], np.float32)


def landmarks(count: int = COUNT) -> NDArray[np.float32]:
    at = np.full((POINTS, 2), (496.0, 500.0))
    for number, point in POINTS_OF_MEI.items():
        at[number] = point
    return np.array([at * CANVAS / 1000 - np.array(path(f)) for f in range(count)], np.float32)


def painted(frame: int, openness: float, side: int = 96, lower: bool = True) -> Mouth:
    """The mouth an engine without fault would paint for ``frame``: its render, made small."""
    face = cropped(picture(frame, openness), boxes(frame + 1)[frame], side)
    if lower:
        return Mouth(patch=face[side // 2 :].copy(), place=LOWER)
    return Mouth(patch=face)


def tinted(mouth: Mouth, gain: tuple[float, float, float] = (1.1, 1.0, 0.92)) -> Mouth:
    """The same mouth in another light."""
    assert mouth.patch is not None
    patch = np.clip(np.round(mouth.patch * np.array(gain)), 0, 255).astype(np.uint8)
    return Mouth(patch=patch, place=mouth.place, weight=mouth.weight)


def toml(count: int = COUNT, loop: str = "pingpong", idle: tuple[int, int] | None = None) -> str:
    lines = [
        "format = 2",
        'kind = "clip"',
        'name = "filmed"',
        'title = "Filmed"',
        'title_zh = "拍摄的"',
        f"size = {list(SIZE)}",
        "focus = [110, 0, 290, 290]",
        "fps = 25",
        'engines = ["wav2lip"]',
        'license = "CC0-1.0"',
        "",
        "[clip]",
        f"frames = {count}",
        'pictures = "frames/%05d.jpg"',
        'faces = "faces.npz"',
        f'loop = "{loop}"',
    ]
    if idle is not None:
        lines.append(f"idle = {list(idle)}")
    return "\n".join(lines) + "\n"


def write_clip(
    folder: Path, count: int = COUNT, loop: str = "pingpong", idle: tuple[int, int] | None = None
) -> Path:
    """The whole folder; returned."""
    (folder / "frames").mkdir(parents=True)
    best = [cv2.IMWRITE_JPEG_QUALITY, 95]
    best += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    for frame in range(count):
        bgr = cv2.cvtColor(picture(frame), cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / f"frames/{frame:05d}.jpg"), bgr, best)
    write_faces(folder, boxes=boxes(count), landmarks=landmarks(count))
    (folder / "avatar.toml").write_text(toml(count, loop, idle), encoding="utf-8")
    return folder


def write_faces(folder: Path, **arrays: NDArray[np.generic]) -> None:
    np.savez_compressed(folder / "faces.npz", **arrays)
