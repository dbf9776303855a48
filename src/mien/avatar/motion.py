"""The small movements of head and body, as one smooth bend of a still picture.

The picture has a relief (how far each place lies in front of the neck's axis), so that turning
moves the nose further than the ears. The weights make the head move and the shoulders stay, with
a long smooth passage over neck and hair: a short one shows as a swirl.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.contract import Pose

Floats = NDArray[np.float32]

CELL = 8  # pixels per cell of the coarse grid; the bend has no finer detail
PAD = 1  # cells around the picture: interpolation is exact up to its border
LIMIT_DEG = 5.0  # of yaw and pitch: beyond it a flat picture visibly stretches


class Motion:
    """Bends for one picture size. Immutable."""

    def __init__(
        self,
        size: tuple[int, int],
        neck: tuple[float, float],
        chin: float,
        depth: Floats | None,
    ) -> None:
        """depth: float32[gh, gw] over the whole picture, pixels; None: an egg of usual depth."""
        self._size = size
        width, height = size
        self._cells = (-(-width // CELL) + 2 * PAD, -(-height // CELL) + 2 * PAD)
        cols, rows = self._cells
        x = ((np.arange(cols) - PAD + 0.5) * CELL - 0.5).astype(np.float32)[None]
        y = ((np.arange(rows) - PAD + 0.5) * CELL - 0.5).astype(np.float32)[:, None]
        x, y = np.broadcast_arrays(x, y)
        unit = height / 512
        neck_x, neck_y = neck
        if depth is None:
            depth = _egg(x, y, neck_x, chin, unit)
        else:
            size_inside = (cols - 2 * PAD, rows - 2 * PAD)
            inner = cv2.resize(depth, size_inside, interpolation=cv2.INTER_AREA)
            depth = np.pad(np.asarray(inner, np.float32), PAD, mode="edge")
        # The head ends at the chin; hair below it follows less and less.
        head = 1 - _smoothstep(chin - 40 * unit, chin + 95 * unit, y)
        chest = _smoothstep(chin + 20 * unit, chin + 110 * unit, y)
        lean = 1 - 0.75 * _smoothstep(chin, float(height), y)
        turn = np.float32(np.pi / 180)
        zero = np.zeros_like(x)
        outward = (x - neck_x) / width
        self._identity = np.stack([x, y]).astype(np.float32)
        # Where a place goes per unit of each control, pixels.
        self._moves = np.stack(
            [
                np.stack([depth * head * turn, zero]),  # yaw: the near side to the right
                np.stack([zero, -depth * head * turn]),  # pitch: up
                np.stack([-(y - neck_y) * head * turn, (x - neck_x) * head * turn]),  # roll
                np.stack([lean * unit, zero]),  # sway_x
                np.stack([zero, lean * unit]),  # sway_y
                np.stack([outward * chest * 1.6 * unit, -chest * 1.8 * unit - 0.5 * unit * head]),
            ]
        ).astype(np.float32)

    def source(self, pose: Pose, out: Floats) -> Floats:
        """For each pixel of the moved picture, where to look in the still one.

        out: float32[2, rows, cols] scratch for ``full`` (changed); returned.
        """
        limit = LIMIT_DEG
        controls = (
            min(max(pose.yaw, -limit), limit),
            min(max(pose.pitch, -limit), limit),
            min(max(pose.roll, -limit), limit),
            pose.sway_x,
            pose.sway_y,
            min(max(pose.breath, 0.0), 1.0),
        )
        np.copyto(out, self._identity)
        for amount, move in zip(controls, self._moves, strict=True):
            if amount:
                out -= np.float32(amount) * move
        return out

    def coarse(self) -> Floats:
        """A scratch array for ``source``."""
        return np.empty_like(self._identity)

    def full(self, coarse: Floats, axis: int, out: Floats) -> Floats:
        """One axis of a coarse map at full size: a view float32[H, W] into ``out``, which is
        float32[rows * CELL, cols * CELL]."""
        cv2.resize(coarse[axis], out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
        width, height = self._size
        edge = PAD * CELL
        return out[edge : edge + height, edge : edge + width]

    def canvas(self) -> Floats:
        """A scratch array for ``full``."""
        cols, rows = self._cells
        return np.empty((rows * CELL, cols * CELL), np.float32)


def _smoothstep(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _egg(x: Floats, y: Floats, centre_x: float, chin: float, unit: float) -> Floats:
    """Depth of an average head, for avatars that bring none."""
    across = ((x - centre_x) / (105 * unit)) ** 2
    along = ((y - (chin - 120 * unit)) / (150 * unit)) ** 2
    return np.asarray(150 * unit * np.exp(-0.7 * (across + along)), np.float32)
