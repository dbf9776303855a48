"""How far each place of a photo lies before the neck's axis, and how it follows the head."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.figure import Portrait
from mien.avatar.photo.geometry import CHEEKS, CHIN, FOREHEAD, OVAL
from mien.avatar.photo.warp import Grid, Spline

Floats = NDArray[np.float32]

CELLS = 48  # across the canvas: the relief is smooth
EAR_DEPTH = 0.12  # face units; the ears lie a little before the axis that the head turns about
FLATTENED = 0.85  # of the mesh's depth: a nose that moves too far looks like a mask


def relief(face: Portrait, opaque: bool) -> tuple[Floats, Floats]:
    """depth float32[gh, gw], canvas pixels, and follow float32[gh, gw], 0…1, over the canvas.

    opaque: the photo has kept its background, which must not swim along with the head.
    """
    width, height = face.size
    frame = face.frame
    cell = max(4, -(-width // CELLS))
    grid = Grid((cell // 2, cell // 2, width - cell, height - cell), cell)
    local = frame.local(grid.places).reshape(grid.rows, grid.columns, 2)
    points = face.points
    ears = points[list(CHEEKS), 2].mean()
    depth = FLATTENED * (ears - points[:, 2]) / frame.unit + EAR_DEPTH
    # Round the face the head curves back; beyond its outline it is as deep as there.
    eyes = frame.local(points[[FOREHEAD, CHIN], :2])
    centre = np.array([0.0, eyes[:, 1].mean() - 0.12])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    head = [centre + ring * size for size in ((0.92, 1.12), (1.4, 1.6))]
    inside = np.setdiff1d(np.arange(0, 468, 3), OVAL)
    use = np.concatenate([inside, OVAL])
    controls = np.vstack([points[use, :2], *(frame.pixels(h) for h in head)])
    values = np.concatenate([depth[use], np.full(24, 0.02), np.zeros(24)])
    spline = Spline(controls, grid, frame.unit)
    nodes = spline.movement(np.stack([values, values], 1))[..., 0]
    away = np.hypot(*np.moveaxis((local - centre) / (1.4, 1.6), -1, 0))
    nodes = np.where(away < 1, nodes, 0)
    smooth = cv2.GaussianBlur(np.clip(nodes, -0.1, 1.6).astype(np.float32), (0, 0), 1.2)
    chin = float(frame.local(points[CHIN, :2])[1])
    follow = 1 - _smooth((local[..., 1] - chin + 0.15) / 0.85)
    if opaque:
        follow = follow * (1 - _smooth((away - 0.62) / 0.38))
    return (smooth * frame.unit).astype(np.float32), follow.astype(np.float32)


def _smooth(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
