"""Where exactly the lips meet: the mesh knows it to a pixel or two of its small picture, the eye
sees a tenth of that. Between closed lips there is a dark line; it is followed through the photo.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.avatar.photo.geometry import INNER_LOWER, INNER_UPPER, Array, Frame
from mien.media.tick import Image

PARTED = 0.045  # face units between the lips' edges from which they count as open
REACH = 0.04  # face units up and down in which the line is looked for
COLUMNS, ROWS = 65, 41


def gap(points: Array) -> float:
    """How far the lips are apart in the middle, face units. points: float64[468, 2] pixels."""
    local = Frame.of(points).local(points)
    return float((local[[87, 14, 317], 1] - local[[82, 13, 312], 1]).mean())


def without_inside(photo: Image, points: Array) -> Image:
    """``photo`` with lips grown over what shows between them, uint8[H, W, 3] RGB, so that no
    teeth and no dark corners cling to the lips when these move."""
    if gap(points) <= PARTED:
        return photo
    unit = Frame.of(points).unit
    hole = np.zeros(photo.shape[:2], np.uint8)
    between = points[INNER_UPPER + INNER_LOWER[::-1]]
    cv2.fillPoly(hole, [np.round(between).astype(np.int32)], 255)
    wide, high = (1 + 2 * max(1, round(share * unit)) for share in (0.030, 0.010))
    grown = cv2.dilate(hole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, high)))
    return np.asarray(cv2.inpaint(photo, grown, 3, cv2.INPAINT_TELEA), np.uint8)


def with_lip_line(photo: Image, points: Array) -> Array:
    """``points`` with the lips' inner edges on the dark line between closed lips.

    photo: uint8[H, W, 3] RGB. points: float64[468, 2] pixels; parted lips stay as they are.
    """
    if gap(points) > PARTED:
        return points
    frame = Frame.of(points)
    local = frame.local(points)
    middle = (local[INNER_UPPER] + local[INNER_LOWER]) / 2
    u = np.linspace(middle[0, 0], middle[-1, 0], COLUMNS)
    v = np.interp(u, middle[:, 0], middle[:, 1])[None] + np.linspace(-REACH, REACH, ROWS)[:, None]
    places = frame.pixels(np.stack(np.broadcast_arrays(u[None], v), -1)).astype(np.float32)
    strip = cv2.remap(photo, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    light = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float64)
    path = _darkest_path(light - cv2.GaussianBlur(light, (0, 0), ROWS / 6))
    line = v[path, np.arange(COLUMNS)]
    line = np.convolve(np.pad(line, 2, mode="edge"), np.full(5, 0.2), "valid")
    refined = local.copy()
    for k in range(len(INNER_UPPER)):
        at = middle[k, 0], np.interp(middle[k, 0], u, line)
        refined[INNER_UPPER[k]] = refined[INNER_LOWER[k]] = at
    moved = points.copy()
    inner = sorted({*INNER_UPPER, *INNER_LOWER})
    moved[inner] = frame.pixels(refined[inner])
    return moved


def _darkest_path(light: Array) -> Array:
    """The row in each column of the smooth way from left to right that sees the least light."""
    rows, columns = light.shape
    away = np.abs(np.linspace(-1, 1, rows))[:, None]
    cost = light + 6.0 * away  # the mesh is not far off
    total = cost.copy()
    came = np.zeros((rows, columns), int)
    index = np.arange(rows)
    for x in range(1, columns):
        before = np.pad(total[:, x - 1], 1, constant_values=np.inf)
        steps = np.stack([before[:-2] + 1.5, before[1:-1], before[2:] + 1.5])
        best = steps.argmin(0)
        came[:, x] = index + best - 1
        total[:, x] += steps[best, index]
    path = np.zeros(columns, int)
    path[-1] = total[:, -1].argmin()
    for x in range(columns - 1, 0, -1):
        path[x - 1] = came[path[x], x]
    return path
