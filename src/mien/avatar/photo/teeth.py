"""Teeth and tongue, drawn: a row of teeth seen from the front, in millimetres.

Sizes are textbook means of adult crowns; towards the corners of the mouth the row turns away from
the viewer, so that teeth look narrower and lie in shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PIXELS_PER_MM = 12
HALF_WIDTH_MM, HEIGHT_MM = 30, 16


@dataclass(frozen=True)
class Row:
    """rgba: float32[h, w, 4], premultiplied; colours relative to the brightest enamel = 1.
    edge: (x, y) in its pixels of the middle of the cutting edges."""

    rgba: Floats
    edge: tuple[float, float]


# (width as seen, height, how far the edge lies behind the central incisors' one, brightness)
UPPER = (
    *((8.4, 10.2, 0.0, 1.0), (6.2, 8.9, 0.7, 0.965), (5.6, 9.6, 0.25, 0.90)),
    *((4.6, 8.0, 0.95, 0.76), (3.8, 7.2, 1.4, 0.58), (3.0, 6.6, 1.9, 0.40)),
)
LOWER = (
    *((5.1, 8.6, 0.0, 0.93), (5.4, 8.8, 0.1, 0.92), (5.3, 9.4, -0.2, 0.85)),
    *((4.6, 8.2, 0.5, 0.70), (3.8, 7.4, 0.9, 0.52), (3.0, 6.6, 1.3, 0.36)),
)


def upper_row() -> Row:
    return _row(UPPER, roundness=1.5)


def lower_row() -> Row:
    row = _row(LOWER, roundness=0.8)
    flipped = np.ascontiguousarray(row.rgba[::-1])
    return Row(flipped, (row.edge[0], len(flipped) - 1 - row.edge[1]))


def _row(teeth: tuple[tuple[float, ...], ...], roundness: float) -> Row:
    scale = PIXELS_PER_MM
    width, height = 2 * HALF_WIDTH_MM * scale, HEIGHT_MM * scale
    x = (np.arange(width, dtype=np.float32) + 0.5) / scale - HALF_WIDTH_MM
    y = (np.arange(height, dtype=np.float32) + 0.5) / scale  # 0 at the gum's side
    x, y = np.meshgrid(x, y)
    edge_at = HEIGHT_MM - 2.0
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    side = np.abs(x)
    left = 0.0
    for wide, high, behind, bright in teeth:
        middle = left + wide / 2
        across = np.clip((side - middle) / (wide / 2), -1.3, 1.3)
        bottom = edge_at - behind
        # Corners of the cutting edge are rounded, the outer ones more.
        lean = np.where(across > 0, 1.25, 0.8)
        outline = bottom - roundness * 0.55 * lean * np.abs(across) ** 4.0
        neck = bottom - high + 1.6 * across**2  # the gum's arch
        inside = _soft(1.0 - np.abs(across), 0.05) * _soft(outline - y, 0.16)
        crown = _soft(y - neck, 0.3)
        along = np.clip((y - neck) / high, 0, 1)
        # Enamel: rounded from side to side, warmer at the neck, glassy at the edge.
        shade = bright * (1 - 0.22 * np.abs(across) ** 3.0) * (0.90 + 0.10 * np.sin(np.pi * along))
        glass = np.clip((along - 0.86) / 0.14, 0, 1) * 0.05
        enamel = np.stack(
            [
                shade * (1 - 0.7 * glass),
                shade * (0.985 - 0.02 * (1 - along) - 0.5 * glass),
                shade * (0.955 - 0.06 * (1 - along) - 0.3 * glass),
            ],
            -1,
        )
        gum = np.stack([0.62 * shade, 0.34 * shade, 0.34 * shade], -1)
        tooth = gum + (enamel - gum) * crown[..., None]
        colour += tooth * inside[..., None]
        alpha += inside
        left += wide
    rgba = np.dstack([colour, alpha])
    rgba /= np.maximum(alpha, 1)[..., None]
    # What shows between two teeth is the mouth's dark, softened by the light in the enamel.
    soft = cv2.GaussianBlur(rgba, (0, 0), 0.10 * scale)
    return Row(np.asarray(soft, np.float32), (width / 2 - 0.5, edge_at * scale - 0.5))


def _soft(distance: NDArray[np.floating[Any]], width: float) -> Floats:
    """0 outside, 1 inside, over ``width`` of the distance."""
    return np.asarray(np.clip(distance / width + 0.5, 0, 1), np.float32)
