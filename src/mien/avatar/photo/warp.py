"""Smooth movements of a picture's surface, given at a few places.

Thin-plate splines (Bookstein 1989): the smoothest movement that takes given places along. It is
linear in what is given, so one small matrix serves every shape of a face.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

STIFFNESS = 1e-5  # regularisation; landmarks jitter by a pixel, and 0 would make that ripples
ROUNDS = 12  # of the fixed-point inversion; 6 leave 1 px where the chin moves fastest


class Grid:
    """A coarse grid over a box of a picture: nodes every ``cell`` pixels, the box's border too."""

    def __init__(self, box: tuple[int, int, int, int], cell: int) -> None:
        left, top, self.width, self.height = box
        self.cell = cell
        self.columns, self.rows = -(-self.width // cell) + 1, -(-self.height // cell) + 1
        x = np.arange(self.columns, dtype=np.float64) * cell + left
        y = np.arange(self.rows, dtype=np.float64) * cell + top
        self.x, self.y = (a.astype(np.float64) for a in np.meshgrid(x, y))
        self.corner = np.array([left, top], np.float64)

    @property
    def places(self) -> Array:
        """float64[rows * columns, 2]: x, y of the nodes, pixels of the picture."""
        return np.stack([self.x.ravel(), self.y.ravel()], 1)

    def sample(self, nodes: Floats, x: Floats, y: Floats) -> Floats:
        """Values of float32[rows, columns, …] at places x, y (pixels of the picture)."""
        at_x = ((x - self.corner[0]) / self.cell).astype(np.float32)
        at_y = ((y - self.corner[1]) / self.cell).astype(np.float32)
        edge = cv2.BORDER_REPLICATE
        return np.asarray(cv2.remap(nodes, at_x, at_y, cv2.INTER_LINEAR, borderMode=edge))

    def full(self, nodes: Floats) -> Floats:
        """float32[height, width, …]: the nodes' values at each pixel of the box."""
        scale = np.array([[1 / self.cell, 0, 0], [0, 1 / self.cell, 0]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size, edge = (self.width, self.height), cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(nodes, scale, size, flags=flags, borderMode=edge))


class Spline:
    """Movements of a grid's nodes from movements of control places."""

    def __init__(self, controls: Array, grid: Grid, unit: float) -> None:
        """controls: float64[m, 2] pixels. unit: pixels; a length of the face, for conditioning."""
        at = controls / unit
        m = len(at)
        system = np.zeros((m + 3, m + 3))
        system[:m, :m] = _bend(at, at) + STIFFNESS * np.eye(m)
        system[:m, m:] = np.column_stack([np.ones(m), at])
        system[m:, :m] = system[:m, m:].T
        places = grid.places / unit
        basis = np.column_stack([_bend(places, at), np.ones(len(places)), places])
        self._weights = (basis @ np.linalg.inv(system)[:, :m]).astype(np.float32)
        self._shape = (grid.rows, grid.columns)

    def movement(self, moves: Array) -> Floats:
        """float32[rows, columns, 2] pixels, from moves float64[m, 2] pixels of the controls."""
        moved: Floats = self._weights @ moves.astype(np.float32)
        return moved.reshape(*self._shape, 2)


def _bend(a: Array, b: Array) -> Array:
    square = ((a[:, None] - b[None]) ** 2).sum(-1)
    return np.asarray(square * np.log(square + 1e-12))


def came_from(movement: Floats, grid: Grid) -> tuple[Floats, Floats]:
    """For each node, where the surface that arrives there was: float32[rows, columns] x and y.

    movement: float32[rows, columns, 2] pixels, of the surface that starts at each node. It must
    not fold (neighbours may come closer but not change places).
    """
    x, y = grid.x.astype(np.float32), grid.y.astype(np.float32)
    from_x, from_y = x - movement[..., 0], y - movement[..., 1]
    for _ in range(ROUNDS):
        moved = grid.sample(movement, from_x, from_y)
        # Half steps: full ones swing to and fro where the surface is compressed.
        from_x += 0.6 * (x - moved[..., 0] - from_x)
        from_y += 0.6 * (y - moved[..., 1] - from_y)
    return from_x, from_y
