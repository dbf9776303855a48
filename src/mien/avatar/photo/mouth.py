"""Pictures of one mouth in every shape, from a photo of it at rest.

The upper lip with everything above it and the lower lip with everything below it are two sheets
that move apart; beyond the corners of the mouth they are one. Between them the inside of the
mouth is painted. Which sheet a pixel shows is decided where it came from, so that nothing tears.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.articulation import (
    CONTROLS,
    LOWER_ONLY,
    UPPER_ONLY,
    Articulation,
    movements,
)
from mien.avatar.photo.geometry import INNER_LOWER, INNER_UPPER, OVAL, Array, Frame
from mien.avatar.photo.inside import Inside
from mien.avatar.photo.lips import PARTED, gap, without_inside
from mien.avatar.photo.warp import Grid, Spline, came_from
from mien.media.tick import Image

Floats = NDArray[np.float32]

# Of the upper sheet, the lower sheet (float32[rows, columns, 2]) and the jaw (float32[2]), pixels.
Movement = tuple[Floats, Floats, Floats]

CELL = 4  # pixels of the grid on which movements are solved
FEATHER = 0.007  # face units over which a lip's edge passes into the opening; about 0.6 mm
JOIN = 0.05  # face units beyond the corners of the mouth within which the sheets become one
BESIDE = 0.20  # face units from the outline of the face over which movements end
BELOW_CHIN = 0.36  # as much as this slower below the chin: the throat gives way
MARGIN = 0.14  # of the box, over which every movement fades to none


@dataclass(frozen=True)
class Drawn:
    """One mouth. image: uint8[h, w, 4] RGBA of the box. moves: float64[m, 2] face units of the
    controls, the jaw's last. upper, lower: float32[h, w], how much each sheet shows. from_upper,
    from_lower: float32[2, h, w], where (pixels of the photo) what they show was."""

    image: Image
    moves: Array
    upper: Floats
    lower: Floats
    from_upper: Floats
    from_lower: Floats


class MouthPainter:
    """Everything about a face that its mouth pictures share."""

    def __init__(
        self, photo: Image, points: Array, box: tuple[int, int, int, int], inside: Inside
    ) -> None:
        """photo: uint8[H, W, 4] RGBA. points: float64[468, 2] pixels of it. box: left, top, width,
        height of the pictures."""
        closed_over = without_inside(np.ascontiguousarray(photo[..., :3]), points)
        self._photo = np.dstack([closed_over, photo[..., 3]])
        self.box, self._inside = box, inside
        self._frame = Frame.of(points)
        self._points = self._frame.local(points)
        self._was_open = gap(points) > PARTED
        self._closing = _closing(self._points)
        self._grid = Grid(box, CELL)
        self._window = _window(self._grid) * _near_face(self._grid, points, self._frame)
        only_lower = [CONTROLS.index(i) for i in LOWER_ONLY]
        only_upper = [CONTROLS.index(i) for i in UPPER_ONLY]
        self._upper_controls = np.setdiff1d(np.arange(len(CONTROLS)), only_lower)
        self._lower_controls = np.setdiff1d(np.arange(len(CONTROLS)), only_upper)
        at = points[CONTROLS]
        unit = self._frame.unit
        self._upper_spline = Spline(at[self._upper_controls], self._grid, unit)
        self._lower_spline = Spline(at[self._lower_controls], self._grid, unit)
        local = self._frame.local(self._grid.places).reshape(self._grid.rows, -1, 2)
        self._above = _edge_distance(local, self._points[INNER_UPPER]).astype(np.float32)
        self._below = _edge_distance(local, self._points[INNER_LOWER]).astype(np.float32)
        self._joined = _joined(local, self._points)
        left, top, width, height = box
        x, y = np.meshgrid(np.arange(width) + left, np.arange(height) + top)
        self._local = self._frame.local(np.stack([x, y], -1).astype(np.float64))

    def sheets(self, moves: Array) -> tuple[Floats, Floats]:
        """The movement of each sheet, float32[rows, columns, 2] pixels on the grid.

        moves: float64[m, 2], face units, of the controls (a jaw at the end is ignored).
        """
        pixels = self._frame.vectors(moves[: len(CONTROLS)])
        upper = self._upper_spline.movement(pixels[self._upper_controls])
        lower = self._lower_spline.movement(pixels[self._lower_controls])
        both = (upper + lower) / 2
        upper += (both - upper) * self._joined
        lower += (both - lower) * self._joined
        return upper * self._window, lower * self._window

    def movement(self, moves: Array) -> Movement:
        """What ``moves`` (float64[m, 2], face units; controls and jaw) do to sheets and jaw."""
        return *self.sheets(moves), self._frame.vectors(moves[-1]).astype(np.float32)

    def moves(self, shape: Articulation) -> Array:
        """float64[m, 2], face units: movements of the controls from the photo, and the jaw's."""
        moved = self._closing + movements(shape, self._points + self._closing)
        return np.vstack([moved[CONTROLS], [[0.0, shape.jaw]]])

    def draw(self, shape: Articulation) -> Drawn:
        moves = self.moves(shape)
        upper_sheet, lower_sheet = self.sheets(moves)
        from_upper, upper, feather_u = self._shown(upper_sheet, self._above)
        from_lower, lower, feather_l = self._shown(lower_sheet, self._below)
        see_upper = np.clip(0.5 - upper / feather_u, 0, 1)
        see_lower = np.clip(0.5 + lower / feather_l, 0, 1)
        total = see_upper + see_lower
        scale = 1 / np.maximum(total, 1)
        see_upper, see_lower = see_upper * scale, see_lower * scale
        hole = np.clip(1 - total, 0, 1)[..., None]
        image = see_upper[..., None] * self._photo_at(from_upper) + see_lower[
            ..., None
        ] * self._photo_at(from_lower)
        if self._was_open:  # lips grown together over teeth have no line between them yet
            contact = 4 * see_upper * see_lower * (feather_l < 1.5 * FEATHER)
            image[..., :3] *= 1 - 0.35 * contact[..., None]
        self._paint_inside(image, hole[..., 0], shape)
        return Drawn(
            np.clip(np.round(image), 0, 255).astype(np.uint8),
            moves,
            see_upper.astype(np.float32),
            see_lower.astype(np.float32),
            from_upper,
            from_lower,
        )

    def _paint_inside(self, image: Floats, hole: Floats, shape: Articulation) -> None:
        """Fills the opening (float32[h, w], 0…1) in ``image`` (changed)."""
        rows, columns = np.flatnonzero(hole.max(1) > 0.02), np.flatnonzero(hole.max(0) > 0.02)
        if not len(rows):
            return
        margin = round(0.06 * self._frame.unit)
        first = np.maximum((rows[0] - margin, columns[0] - margin), 0)
        part = slice(first[0], rows[-1] + margin), slice(first[1], columns[-1] + margin)
        closed = self._points + self._closing
        now = closed + movements(shape, closed)
        seen = self._inside.paint(self._local[part], now[INNER_UPPER], now[INNER_LOWER], shape)
        # Lips turn inward and lose the light where they meet the opening.
        dim = cv2.GaussianBlur(hole[part], (0, 0), 0.016 * self._frame.unit)
        image[part][..., :3] *= 1 - 0.38 * dim[..., None]
        opaque = np.full(seen.shape[:2], 255, np.float32)
        image[part] += hole[part][..., None] * np.dstack([seen, opaque])

    def fields(self, drawn: Drawn, movements: list[Movement], cell: int) -> Floats:
        """float32[k, 2, gh, gw] pixels that what ``drawn`` shows moves per unit of each movement.

        cell: pixels of the coarse grid, roughly.
        """
        width, height = self.box[2:]
        size = (max(4, width // cell), max(4, height // cell))
        thin = slice(2, None, 4)  # the grid is coarse; so may be what it is averaged from
        see_upper, see_lower = drawn.upper[thin, thin], drawn.lower[thin, thin]
        from_upper, from_lower = drawn.from_upper[:, thin, thin], drawn.from_lower[:, thin, thin]
        hole = np.clip(1 - see_upper - see_lower, 0, 1)
        depth = hole * self._inside.with_jaw(self._local[thin, thin], float(drawn.moves[-1, 1]))
        fields = []
        for upper, lower, jaw in movements:
            field = self._grid.sample(upper, *from_upper) * see_upper[..., None]
            field += self._grid.sample(lower, *from_lower) * see_lower[..., None]
            field += depth[..., None].astype(np.float32) * jaw
            fields.append(cv2.resize(field, size, interpolation=cv2.INTER_AREA))
        return np.stack(fields).transpose(0, 3, 1, 2).astype(np.float32)

    def _shown(self, sheet: Floats, edge: Floats) -> tuple[Floats, Floats, Floats]:
        """Where each pixel's surface was, how far below the lip's edge (face units), and over
        how much it fades there."""
        grid = self._grid
        node_x, node_y = came_from(sheet, grid)
        x, y = grid.full(node_x), grid.full(node_y)
        below = grid.sample(edge, x, y)
        u = self._frame.local(np.stack([x, y], -1).astype(np.float64))[..., 0]
        ends = self._points[[INNER_UPPER[0], INNER_UPPER[-1]], 0]
        beyond = np.maximum(np.maximum(ends[0] - u, u - ends[1]), 0)
        feather = (FEATHER + 0.5 * beyond).astype(np.float32)
        return np.stack([x, y]), below, feather

    def _photo_at(self, places: Floats) -> Floats:
        edge = cv2.BORDER_REFLECT
        found = cv2.remap(self._photo, places[0], places[1], cv2.INTER_CUBIC, borderMode=edge)
        return np.asarray(found, np.float32)


def _closing(points: Array) -> Array:
    """Movements that bring parted lips together on the line between them, float64[468, 2]."""
    from mien.avatar.photo.geometry import OUTER_LOWER, OUTER_UPPER

    moves = np.zeros((468, 2))
    upper, lower = points[INNER_UPPER], points[INNER_LOWER]
    gap = np.maximum(lower[:, 1] - upper[:, 1], 0)
    if gap.max() < 0.012:
        return moves
    for k, (iu, il) in enumerate(zip(INNER_UPPER, INNER_LOWER, strict=True)):
        down, up = 0.5 * gap[k], -0.5 * gap[k]
        moves[iu, 1], moves[il, 1] = down, up
        moves[OUTER_UPPER[k], 1], moves[OUTER_LOWER[k], 1] = 0.6 * down, 0.6 * up
    return moves


def _edge_distance(local: Array, edge: Array) -> Array:
    """How far each place (u, v) lies below the curve through ``edge``, level beyond its ends."""
    order = np.argsort(edge[:, 0])
    return np.asarray(local[..., 1] - np.interp(local[..., 0], edge[order, 0], edge[order, 1]))


def _joined(local: Array, points: Array) -> Floats:
    """How much the two sheets are one, 0 between the corners of the mouth, 1 beyond them."""
    ends = points[[INNER_UPPER[0], INNER_UPPER[-1]], 0]
    beyond = np.maximum(ends[0] - local[..., 0], local[..., 0] - ends[1]) / JOIN
    share = np.clip(beyond + 0.3, 0, 1)
    return np.asarray((share * share * (3 - 2 * share))[..., None], np.float32)


def _near_face(grid: Grid, points: Array, frame: Frame) -> Floats:
    """1 on the face, falling to 0 beside the jaw soon and down the throat later, float32[rows,
    columns, 1]: collar and background stay where they are."""
    places = frame.local(grid.places).reshape(grid.rows, grid.columns, 2)
    oval = frame.local(points[OVAL])
    squeeze = np.where(places[..., 1:] > oval[:, 1].max(), BELOW_CHIN, 1.0)
    below = oval[:, 1].max()
    places = np.dstack([places[..., 0], below + (places[..., 1] - below) * squeeze[..., 0]])
    scale = 64  # of a raster in which the distance to the face is measured
    low = places.min((0, 1)) - 0.1
    raster = np.ones(np.ceil((places.max((0, 1)) + 0.1 - low) * scale).astype(int)[::-1], np.uint8)
    cv2.fillPoly(raster, [np.round((oval - low) * scale).astype(np.int32)], 0)
    away = cv2.distanceTransform(raster, cv2.DIST_L2, 5) / scale
    at = ((places - low) * scale).astype(np.float32)
    distance = cv2.remap(away, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    share = np.clip(1 - distance / BESIDE, 0, 1)
    return np.asarray((share * share * (3 - 2 * share))[..., None], np.float32)


def _window(grid: Grid) -> Floats:
    x = (grid.x - grid.corner[0]) / grid.width
    y = (grid.y - grid.corner[1]) / grid.height
    away = np.clip(np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) / MARGIN, 0, 1)
    return np.asarray((away * away * (3 - 2 * away))[..., None], np.float32)
