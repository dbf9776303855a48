"""The face's own coordinates, and the names of the mesh points that are used.

Everything is laid out in a frame that leans with the head: u along the line of the eyes, v down
the face, both in units of the distance between the outer corners of the eyes (about 90 mm), which
no expression changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Indices of the Face Mesh topology, from the right corner of the mouth to the left.
OUTER_UPPER = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
OUTER_LOWER = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
INNER_UPPER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
INNER_LOWER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
CHIN = 152
FOREHEAD = 10
CHEEKS = (234, 454)  # in front of the ears
OUTER_EYES = (33, 263)
OVAL = [
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
]


@dataclass(frozen=True)
class Frame:
    """origin: float64[2] pixels, the middle of the mouth. axes: float64[2, 2], rows are u and v
    as unit vectors of the picture. unit: pixels between the outer corners of the eyes."""

    origin: Array
    axes: Array
    unit: float

    @classmethod
    def of(cls, points: Array) -> Frame:
        """points: float[468, 2 or more] in pixels."""
        flat = np.asarray(points[:, :2], np.float64)
        right, left = flat[OUTER_EYES[0]], flat[OUTER_EYES[1]]
        along = left - right
        unit = float(np.linalg.norm(along))
        u = along / unit
        mouth = flat[INNER_UPPER + INNER_LOWER].mean(0)
        return cls(mouth, np.array([u, [-u[1], u[0]]]), unit)

    def local(self, pixels: Array) -> Array:
        """float64[..., 2] (u, v) of places in pixels."""
        return np.asarray((pixels - self.origin) @ self.axes.T / self.unit)

    def pixels(self, local: Array) -> Array:
        """float64[..., 2] pixels of places (u, v)."""
        return np.asarray(self.origin + self.vectors(local))

    def vectors(self, local: Array) -> Array:
        """float64[..., 2] pixels of movements (du, dv)."""
        return np.asarray(np.asarray(local) @ self.axes * self.unit)
