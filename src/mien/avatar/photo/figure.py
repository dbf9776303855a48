"""The canvas of an avatar cut from a photo: which part, at which scale."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.avatar.photo.geometry import CHIN, FOREHEAD, OVAL, Array, Frame
from mien.media.tick import Image

FOCUS = 768  # pixels of the close-up's sides: a 720-pixel picture needs no enlarging
MOST_ENLARGED = 1.5  # of the photo; more shows as blur and only costs time
CLOSE_UP = 3.9  # face units: head, shoulders, some air
AIR = 1.05  # face units above the hairline, for hair and air
WIDEST = 16 / 9  # of the close-up's side: what a wide or a tall picture shows beside it
MARGIN_ABOVE = 0.25  # of the close-up's side
LARGEST = 2048  # pixels; the format's limit
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Portrait:
    """image: uint8[H, W, 3] RGB, the canvas. points: float64[468, 3] of the face, its pixels.
    focus: left, top, width, height of the close-up. scale: canvas pixels per photo pixel."""

    image: Image
    points: Array
    focus: Box
    scale: float

    @property
    def frame(self) -> Frame:
        return Frame.of(self.points)

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    @property
    def blur(self) -> float:
        """Sigma in pixels that makes drawn things as soft as the photo: its own finest detail."""
        return 0.6 + 0.55 * max(0.0, self.scale - 0.6)

    @property
    def chin(self) -> float:
        return float(self.points[CHIN, 1])

    @property
    def neck(self) -> tuple[float, float]:
        """Where the head turns: behind and a little below the jaw's angle."""
        x, y = self.frame.pixels(np.array([0.0, 0.62]))
        return float(x), float(min(max(y, self.chin), self.size[1]))


def portrait(photo: Image, points: Array) -> Portrait:
    """Crops and scales a photo (uint8[H, W, 3] RGB) round the face (float[468, 3] pixels)."""
    height, width = photo.shape[:2]
    unit = Frame.of(points).unit
    middle = float(points[OVAL, 0].mean())
    side = min(CLOSE_UP * unit, width, height)
    top = min(points[FOREHEAD, 1], points[CHIN, 1]) - AIR * unit * side / (CLOSE_UP * unit)
    top = float(np.clip(top, 0, height - side))
    left = float(np.clip(middle - side / 2, 0, width - side))
    scale = min(FOCUS / side, MOST_ENLARGED)
    reach = side * (WIDEST - 1) / 2
    limit = LARGEST / scale
    canvas_left = max(0.0, left - reach)
    canvas_right = min(float(width), left + side + reach, canvas_left + limit)
    canvas_top = max(0.0, top - MARGIN_ABOVE * side)
    canvas_bottom = min(float(height), top + side * WIDEST, canvas_top + limit)
    size = tuple(
        int((b - a) * scale) // 2 * 2
        for a, b in ((canvas_left, canvas_right), (canvas_top, canvas_bottom))
    )
    image = _scaled(photo, (canvas_left, canvas_top), scale, (size[0], size[1]))
    moved = np.asarray(points, np.float64).copy()
    moved[:, :2] = (moved[:, :2] + 0.5 - (canvas_left, canvas_top)) * scale - 0.5
    moved[:, 2] *= scale
    square = int(side * scale) // 2 * 2
    x = int(np.clip((left - canvas_left) * scale, 0, size[0] - square))
    y = int(np.clip((top - canvas_top) * scale, 0, size[1] - square))
    return Portrait(image, moved, (x, y, square, square), scale)


def mouth_box(face: Portrait) -> Box:
    """From the nose down to the throat, as wide as the jaw."""
    local = face.frame.local(face.points[:, :2])
    sides = np.array([local[234, 0] - 0.06, local[454, 0] + 0.06])
    return _box(face, sides, (float(local[195, 1]), float(local[CHIN, 1]) + 0.55))


def eyes_box(face: Portrait) -> Box:
    """Both eyes with the brows and some of the forehead."""
    local = face.frame.local(face.points[:, :2])
    sides = np.array([local[33, 0] - 0.28, local[263, 0] + 0.28])
    brows, lids = local[[105, 334], 1].min(), local[[145, 374], 1].max()
    return _box(face, sides, (float(brows) - 0.20, float(lids) + 0.15))


def _box(face: Portrait, sides: Array, rows: tuple[float, float]) -> Box:
    corners = face.frame.pixels(np.array([[u, v] for u in sides for v in rows]))
    left, top = np.clip(np.floor(corners.min(0)), 0, np.array(face.size) - 17).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0)), (left + 16, top + 16), face.size).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def _scaled(
    photo: Image, corner: tuple[float, float], scale: float, size: tuple[int, int]
) -> Image:
    """``size`` pixels of the photo from ``corner`` on, without aliasing."""
    source = photo
    while scale < 0.5:
        source = _halved(source)
        corner = (corner[0] / 2, corner[1] / 2)
        scale *= 2
    if scale < 1:
        sigma = 0.5 * (1 / scale - 1) + 0.05
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), sigma), np.uint8)
    shift = [(0.5 / scale - 0.5) + c for c in corner]
    place = np.array([[1 / scale, 0, shift[0]], [0, 1 / scale, shift[1]]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    edge = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(source, place, size, flags=flags, borderMode=edge), np.uint8)


def _halved(image: Image) -> Image:
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.uint8)
