"""Eyes that close and glance, from a photo of open ones.

The upper lid comes down as a sheet: its fold stays, its edge with the lashes moves unstretched,
the skin between is drawn out. A glance moves the iris inside the lids.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.geometry import Array, Frame
from mien.avatar.photo.warp import Grid, Spline
from mien.media.tick import Image

Floats = NDArray[np.float32]

CLOSURES = (0.0, 0.33, 0.66, 1.0)
GAZES = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
MOVEMENTS = ("closure", "gaze_x", "gaze_y", "brow_up", "brow_down")

# Lengths in face units (90 mm).
GLANCE = np.array([0.028, 0.015])  # how far the iris goes; further, its hidden part would show
IRIS = 0.070  # radius that moves without being bent
LASHES = 0.020  # of the lid's edge that keep their shape
FOLD = 0.50  # of the way from lid to brow where the skin begins to follow
LINE = 0.0075  # thickness of the line of lashes
BROW_UP, FROWN = 0.034, np.array([0.012, 0.016])
CELL = 4


@dataclass(frozen=True)
class Eye:
    """Mesh points from the right end to the left one of the picture."""

    upper: list[int]
    lower: list[int]
    brow: list[int]
    brow_below: list[int]


EYES = (
    Eye(
        [33, 246, 161, 160, 159, 158, 157, 173, 133],
        [33, 7, 163, 144, 145, 153, 154, 155, 133],
        [70, 63, 105, 66, 107],
        [46, 53, 52, 65, 55],
    ),
    Eye(
        [362, 398, 384, 385, 386, 387, 388, 466, 263],
        [362, 382, 381, 380, 374, 373, 390, 249, 263],
        [336, 296, 334, 293, 300],
        [285, 295, 282, 283, 276],
    ),
)


class EyePainter:
    def __init__(self, photo: Image, points: Array, box: tuple[int, int, int, int]) -> None:
        """photo: uint8[H, W, 4] RGBA. points: float64[468, 2] pixels of it. box: left, top, width,
        height of the pictures."""
        self.box = box
        left, top, width, height = box
        self._photo = photo
        self._frame = Frame.of(points)
        self._points = points
        x, y = np.meshgrid(np.arange(width) + left, np.arange(height) + top)
        self._pixels = np.stack([x, y], -1).astype(np.float64)
        self._local = self._frame.local(self._pixels)
        local = self._frame.local(points)
        u, v = self._local[..., 0], self._local[..., 1]
        self._lids = [_Lid.of(local, eye, u, v) for eye in EYES]
        self._still = photo[top : top + height, left : left + width].astype(np.float32)
        self._irises = [_iris(photo, points, eye, self._frame) for eye in EYES]

    def closed(self, closure: float) -> Image:
        """uint8[h, w, 4] RGBA of the box, 0 open … 1 closed."""
        image = self._still
        if closure == 0:
            return image.astype(np.uint8)
        u, v = self._local[..., 0], self._local[..., 1]
        for lid in self._lids:
            edge = lid.edge(closure)
            from_v = lid.came_from(v, closure)
            skin = self._photo_at(np.stack([u, from_v], -1))
            smooth, share = self._lid_skin(lid, closure)
            skin += (smooth - skin) * share[..., None].astype(np.float32)
            # The sheet ends with the lashes; it is nowhere beyond the corners of the eye.
            over = np.clip((edge - v) / LINE + 1.0, 0, 1) * lid.within
            over = over * over * (3 - 2 * over)
            image = image + (skin - image) * over[..., None].astype(np.float32)
            dark = 0.55 * np.exp(-(((v - edge) / LINE) ** 2))
            below = np.clip(1 - (v - edge) / 0.030, 0, 1) * (v > edge)
            shade = np.maximum(dark, 0.22 * below) * lid.within * lid.drop_share
            shade *= min(1, 1.5 * closure)
            light = 1 - shade[..., None] * np.array([0.85, 1.0, 1.0, 0.0])
            image = image * light.astype(np.float32)
        return np.clip(np.round(image), 0, 255).astype(np.uint8)

    def _lid_skin(self, lid: _Lid, closure: float) -> tuple[Floats, Array]:
        """Skin like that of the fold for what the open lid hid, and where it shows, 0…1. Drawing
        out the few pixels between fold and lashes alone would smear their shadow over the lid."""
        u, v = self._local[..., 0], self._local[..., 1]
        fold = self._photo_at(np.stack([u, lid.fold], -1))
        blurred = cv2.GaussianBlur(fold, (0, 0), 0.05 * self._frame.unit)
        fold = np.asarray(blurred, np.float32)
        edge = lid.edge(closure)
        down = np.clip((v - lid.fold) / np.maximum(edge - lid.fold, 1e-3), 0, 1)
        round_ = 1.0 + 0.05 * np.sin(np.pi * down) - 0.16 * down**3
        share = np.clip(down / 0.35, 0, 1) * np.clip((edge - v) / (1.6 * LINE) - 0.2, 0, 1)
        amount = np.clip(closure * 1.4, 0, 1) * lid.drop_share * lid.within
        fold[..., :3] *= round_[..., None]
        return fold, 0.85 * share * amount

    def glancing(self, gaze: str) -> Image:
        """uint8[h, w, 4] RGBA of the box; gaze: one of ``GAZES`` (sides of the picture)."""
        move = np.array(GAZES[gaze]) * GLANCE
        image = self._still
        for lid, iris in zip(self._lids, self._irises, strict=True):
            share = self._iris_share(iris + move, lid)
            # The way back: what is here now was a glance away, as far as it moved there.
            source = self._local - share[..., None] * move
            moved = self._photo_at(source)
            image = image + (moved - image) * lid.opening[..., None].astype(np.float32)
        return np.clip(np.round(image), 0, 255).astype(np.uint8)

    def fields(self, closure: float, gaze: str | None, grid_size: tuple[int, int]) -> Floats:
        """float32[k, 2, gh, gw] pixels that what this picture shows moves per unit of each of
        ``MOVEMENTS``. grid_size: gw, gh."""
        v = self._local[..., 1]
        lids = np.zeros_like(v)
        iris_share = np.zeros_like(v)
        for lid, iris in zip(self._lids, self._irises, strict=True):
            lids += lid.follows(v, closure) * lid.drop
            shown = lid.opening * (v > lid.edge(closure))
            iris_share += self._iris_share(iris, lid) * shown
        zero = np.zeros_like(v)
        brows_up, brows_down = (self._brows(moves) for moves in self._brow_moves())
        fields = [
            self._frame.vectors(np.stack([zero, lids], -1)),
            self._frame.vectors(np.stack([iris_share * GLANCE[0], zero], -1)),
            self._frame.vectors(np.stack([zero, -iris_share * GLANCE[1]], -1)),
            brows_up,
            brows_down,
        ]
        small = [cv2.resize(f, grid_size, interpolation=cv2.INTER_AREA) for f in fields]
        return np.stack(small).transpose(0, 3, 1, 2).astype(np.float32)

    def _iris_share(self, iris: Array, lid: _Lid) -> Array:
        """How much each place goes along with the iris: 1 on it, 0 at the lids."""
        away = np.hypot(*np.moveaxis(self._local - iris, -1, 0))
        share = np.clip(1 - (away - IRIS) / (0.6 * IRIS), 0, 1)
        return np.asarray(share * share * (3 - 2 * share) * (lid.opening > 0))

    def _photo_at(self, local: Array) -> Floats:
        places = self._frame.pixels(local).astype(np.float32)
        edge = cv2.BORDER_REPLICATE
        found = cv2.remap(
            self._photo, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=edge
        )
        return np.asarray(found, np.float32)

    def _brow_moves(self) -> tuple[dict[int, Array], dict[int, Array]]:
        up: dict[int, Array] = {}
        down: dict[int, Array] = {}
        for eye, inward in zip(EYES, (1, -1), strict=True):
            for row in (eye.brow, eye.brow_below):
                for k, i in enumerate(row):
                    inner = k / 4 if inward > 0 else 1 - k / 4  # 0 at the temple, 1 at the nose
                    up[i] = np.array([0.0, -BROW_UP * (0.75 + 0.35 * np.sin(np.pi * inner))])
                    down[i] = FROWN * np.array([inward * inner, 0.25 + 0.75 * inner])
        return up, down

    def _brows(self, moves: dict[int, Array]) -> Array:
        grid = Grid(self.box, CELL)
        still = [i for eye in EYES for i in (*eye.upper, *eye.lower)] + [6, 168, 10, 338, 109]
        still = [i for i in still if i not in moves]
        controls = [*moves, *still]
        spline = Spline(self._points[controls], grid, self._frame.unit)
        vectors = np.vstack([np.array(list(moves.values())), np.zeros((len(still), 2))])
        field = spline.movement(self._frame.vectors(vectors))
        x = (grid.x - grid.corner[0]) / grid.width
        y = (grid.y - grid.corner[1]) / grid.height
        away = np.clip(np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) / 0.15, 0, 1)
        window = away * away * (3 - 2 * away)
        return np.asarray(grid.full((field * window[..., None]).astype(np.float32)), np.float64)


@dataclass(frozen=True)
class _Lid:
    """One eye's curves at each pixel's u, float64[h, w], face units: fold, open and closed edge
    of the upper lid. within: 0…1, beside the eye 0. opening: 0…1, between the open lids."""

    fold: Array
    open: Array
    shut: Array
    within: Array
    opening: Array

    @classmethod
    def of(cls, local: Array, eye: Eye, u: Array, v: Array) -> _Lid:
        def curve(points: list[int]) -> Array:
            at = local[points]
            t = np.interp(u, at[:, 0], np.arange(len(points)))
            fine = np.linspace(0, len(points) - 1, 65)
            smooth = _through(at[:, 1], fine)
            return np.asarray(np.interp(t, fine, smooth))

        open_, low = curve(eye.upper), curve(eye.lower)
        brow = curve(eye.brow_below)
        fold = open_ - FOLD * np.maximum(open_ - brow, 0.03)
        ends = local[[eye.upper[0], eye.upper[-1]], 0]
        inside = np.minimum(u - ends[0], ends[1] - u)
        within = np.clip(inside / 0.02 + 0.5, 0, 1)
        shut = np.maximum(low - 0.06 * (low - open_), open_)
        height = np.clip(np.minimum(v - open_, low - v) / 0.008, 0, 1)
        return cls(fold, open_, shut, within, height * within)

    @property
    def drop(self) -> Array:
        return self.shut - self.open

    @property
    def drop_share(self) -> Array:
        return np.asarray(np.clip(self.drop / max(float(self.drop.max()), 1e-6) * 1.5, 0, 1))

    def edge(self, closure: float) -> Array:
        return self.open + closure * self.drop

    def came_from(self, v: Array, closure: float) -> Array:
        """v before the lid came down."""
        return v - self.follows(v, closure) * closure * self.drop

    def follows(self, v: Array, closure: float) -> Array:
        """How much of the lid's way each place of a lid at ``closure`` has gone, 0…1."""
        edge = self.edge(closure)
        free = np.maximum(edge - LASHES - self.fold, 1e-3)
        share = np.clip((v - self.fold) / free, 0, 1)
        return np.asarray(share * (v < edge + 2 * LINE) * self.within)


def _through(values: Array, at: Array) -> Array:
    """A smooth curve (Catmull-Rom) through values at 0, 1, 2, …"""
    padded = np.concatenate([[2 * values[0] - values[1]], values, [2 * values[-1] - values[-2]]])
    i = np.clip(at.astype(int), 0, len(values) - 2)
    t = at - i
    a, b, c, d = (padded[i + k] for k in range(4))
    return np.asarray(
        b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    )


def _iris(photo: Image, points: Array, eye: Eye, frame: Frame) -> Array:
    """(u, v) of the middle of the iris: the darkest disc between the lids."""
    outline = points[eye.upper + eye.lower[::-1]]
    ends = frame.local(points[[eye.upper[0], eye.upper[-1]]])[:, 0]
    u = np.linspace(ends[0], ends[1], 49)[8:-8]
    middle = frame.local(outline).mean(0)
    dv = np.linspace(-0.05, 0.05, 41)
    places = frame.pixels(np.stack(np.meshgrid(u, middle[1] + dv), -1)).astype(np.float32)
    strip = cv2.remap(photo, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    light = cv2.cvtColor(strip, cv2.COLOR_RGBA2GRAY).astype(np.float32)
    columns = cv2.blur(light[12:29].mean(0)[None], (11, 1), borderType=cv2.BORDER_REFLECT)[0]
    return np.array([u[int(columns.argmin())], middle[1]])
