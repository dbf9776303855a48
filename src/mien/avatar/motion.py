"""The small movements of head and body, as one smooth bend of each layer of the figure.

A layer has a relief (how far each place lies in front of the neck's axis), so that turning moves
the nose further than the ears, and says how much of the head's turn each place takes: all of it
on the head, none on the shoulders, and in between on the neck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.contract import Pose
from mien.avatar.package import Layer, Package

Floats = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]

# Degrees. Beyond them what a still picture cannot show comes into view: the far cheek, the nape.
YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT = 8.0, 6.0, 6.0
SWAY_LIMIT = 8.0  # pixels of a 512-pixel picture
# 1/512 of the focus. Hair behind the head is hidden by it in a real turn; its still picture, moved
# by its true depth, would slide out beside the head.
BACKMOST = -2.0
LIMITS = np.array([YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT, SWAY_LIMIT, SWAY_LIMIT, 1], np.float32)


def controls(pose: Pose) -> Floats:
    """float32[6]: yaw, pitch, roll, sway x and y, breath, each held within its limits."""
    asked = (pose.yaw, pose.pitch, pose.roll, pose.sway_x, pose.sway_y, max(pose.breath, 0.0))
    return np.clip(np.array(asked, np.float32), -LIMITS, LIMITS)


@dataclass(frozen=True, slots=True)
class Body:
    """What all layers share, in canvas pixels. unit: 1/512 of the focus's height."""

    canvas: tuple[int, int]
    neck: tuple[float, float]
    chin: float
    unit: float

    @classmethod
    def of(cls, package: Package) -> Body:
        return cls(package.size, package.neck, package.chin, package.focus[3] / 512)


def moves(layer: Layer, body: Body, x: Reals, y: Reals) -> Floats:
    """float32[6, len(y), len(x), 2]: canvas pixels that the place x, y goes per unit of control."""
    across, along = np.meshgrid(x, y)
    neck_x, neck_y = body.neck
    unit, chin = body.unit, body.chin
    if layer.depth is None or layer.follow is None:
        depth = _egg(across, along, body)
        follow = 1 - _smoothstep(chin - 40 * unit, chin + 95 * unit, along)
    else:
        depth = np.maximum(_sampled(layer.depth, body.canvas, across, along), BACKMOST * unit)
        follow = _sampled(layer.follow, body.canvas, across, along)
    turn = np.pi / 180
    zero = np.zeros_like(across)
    chest = _smoothstep(chin + 20 * unit, chin + 110 * unit, along)
    lean = 1 - 0.75 * _smoothstep(chin, body.canvas[1], along)
    outward = (across - neck_x) / (512 * unit)
    lift = -chest * 1.8 * unit - 0.5 * unit * (1 - chest)
    return np.stack(
        [
            _stacked(depth * follow * turn, zero),  # yaw: the near side to the right
            _stacked(zero, -depth * follow * turn),  # pitch: up
            _stacked(-(along - neck_y) * follow * turn, (across - neck_x) * follow * turn),  # roll
            _stacked(lean * unit, zero),
            _stacked(zero, lean * unit),
            _stacked(outward * chest * 1.6 * unit, lift),  # breath
        ]
    )


def _stacked(x: Reals, y: Reals) -> Floats:
    return np.stack(np.broadcast_arrays(x, y), -1).astype(np.float32)


def _sampled(grid: Floats, canvas: tuple[int, int], x: Reals, y: Reals) -> Reals:
    """A coarse grid over the canvas at places of the canvas; beyond it, as at its border."""
    rows, cols = grid.shape
    at_x = (x * (cols / canvas[0]) - 0.5).astype(np.float32)
    at_y = (y * (rows / canvas[1]) - 0.5).astype(np.float32)
    found = cv2.remap(grid, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float64)


def _smoothstep(low: float, high: float, value: Reals) -> Reals:
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _egg(x: Reals, y: Reals, body: Body) -> Reals:
    """Depth of an average head, for layers that bring none."""
    across = ((x - body.neck[0]) / (105 * body.unit)) ** 2
    along = ((y - (body.chin - 120 * body.unit)) / (150 * body.unit)) ** 2
    return np.asarray(150 * body.unit * np.exp(-0.7 * (across + along)))
