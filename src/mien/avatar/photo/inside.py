"""The inside of the mouth: teeth, tongue and dark, in the light of the photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.articulation import Articulation
from mien.avatar.photo.geometry import Array
from mien.avatar.photo.teeth import PIXELS_PER_MM, Row, lower_row, upper_row

Floats = NDArray[np.float32]

UNIT_MM = 90.0  # outer corner to outer corner of an adult's eyes
UPPER_EDGE = 0.031  # where the upper teeth end, below the line of the closed lips
OVERBITE = 0.022  # the lower teeth stand that far behind the upper ones when shut


@dataclass(frozen=True)
class Tones:
    """Colours in the photo's light, float64[3] RGB 0…255. blur: pixels (sigma) that bring what
    is drawn to the sharpness of the photo."""

    enamel: Array
    flesh: Array
    blur: float


class Inside:
    def __init__(self, tones: Tones, unit: float, line: tuple[float, float]) -> None:
        """unit: pixels per face unit. line: (u, v) of the middle of the closed lips."""
        self._tones, self._unit = tones, unit
        self._u0, self._v0 = line
        self._upper, self._lower = upper_row(), lower_row()

    def paint(self, local: Array, upper: Array, lower: Array, shape: Articulation) -> Floats:
        """float32[h, w, 3] RGB 0…255 over the whole box.

        local: float64[h, w, 2], (u, v) of its pixels. upper, lower: float64[n, 2], the lips'
        inner edges.
        """
        u, v = local[..., 0] - self._u0, local[..., 1] - self._v0
        order = np.argsort(upper[:, 0])
        top = np.interp(local[..., 0], upper[order, 0], upper[order, 1]) - self._v0
        order = np.argsort(lower[:, 0])
        bottom = np.interp(local[..., 0], lower[order, 0], lower[order, 1]) - self._v0
        half = (upper[:, 0].max() - upper[:, 0].min()) / 2
        image = self._dark(u, v, shape)
        image = self._with_tongue(image, u, v, shape)
        lower_edge = UPPER_EDGE - OVERBITE + shape.jaw
        lit_low = np.clip(0.58 + 2.2 * (bottom - top), 0.58, 0.80)
        image = self._with_row(image, self._lower, u, v - lower_edge, lit_low)
        lit_up = np.full_like(u, 1.06 - 0.2 * shape.round)
        image = self._with_row(image, self._upper, u, v - UPPER_EDGE, lit_up)
        # The upper lip's shadow, and the dark towards the corners.
        below_lip = np.clip((v - top) / 0.045, 0, 1)
        above_lip = np.clip((bottom - v) / 0.03, 0, 1)
        shade = (0.76 + 0.24 * below_lip**0.8) * (0.88 + 0.12 * above_lip)
        corner = np.clip(1.12 - 0.54 * np.clip(np.abs(u) / half, 0, 1) ** 2.6, 0, 1)
        image = np.asarray(image * _light(shade * corner), np.float32)
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(self._tones.blur, 0.3)), np.float32)

    def with_jaw(self, local: Array, jaw: float) -> Array:
        """How much each place of the opening goes with the jaw: the upper teeth not at all, tongue
        and lower teeth wholly. float64[h, w], from local float64[h, w, 2]."""
        v = local[..., 1] - self._v0
        way = max(jaw - OVERBITE, 0.01)
        share = np.clip((v - UPPER_EDGE) / way, 0, 1)
        return np.asarray(share * share * (3 - 2 * share))

    def _dark(self, u: Array, v: Array, shape: Articulation) -> Floats:
        deep = np.clip(1 - ((u / 0.26) ** 2 + ((v - 0.5 * shape.jaw) / 0.16) ** 2), 0, 1)
        colour = self._tones.flesh * np.array([0.34, 0.22, 0.22])
        return np.asarray(colour * (1.0 - 0.6 * deep[..., None]), np.float32)

    def _with_tongue(self, image: Floats, u: Array, v: Array, shape: Articulation) -> Floats:
        if shape.tongue > 0:  # its tip between the teeth
            middle, wide, high, lit = UPPER_EDGE + 0.5 * shape.jaw + 0.014, 0.135, 0.030, 0.80
        else:
            middle, wide, high, lit = UPPER_EDGE + 0.95 * shape.jaw + 0.02, 0.19, 0.085, 0.50
        radius = np.sqrt((u / wide) ** 2 + ((v - middle) / high) ** 2)
        cover = np.clip((1 - radius) / 0.22, 0, 1)
        groove = 1 - 0.16 * np.exp(-((u / 0.014) ** 2))
        light = lit * groove * (1 - 0.45 * np.clip((v - middle + high) / (2 * high), 0, 1))
        flesh = self._tones.flesh * np.array([1.0, 0.86, 0.86])
        cover = (cover * cover * (3 - 2 * cover))[..., None]
        return np.asarray(image * (1 - cover) + flesh * light[..., None] * cover, np.float32)

    def _with_row(self, image: Floats, row: Row, u: Array, v: Array, light: Array) -> Floats:
        scale = UNIT_MM * PIXELS_PER_MM
        # The texture is finer than the photo: made as coarse first, or it would glitter.
        shrink = self._unit / scale
        small = cv2.resize(row.rgba, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        x = ((u * scale + row.edge[0] + 0.5) * shrink - 0.5).astype(np.float32)
        y = ((v * scale + row.edge[1] + 0.5) * shrink - 0.5).astype(np.float32)
        found = cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        teeth = found[..., :3] * self._tones.enamel * _light(light)
        return np.asarray(image * (1 - found[..., 3:]) + teeth, np.float32)


def _light(share: Array) -> Array:
    """RGB factors for a share of the full light: what comes back from the walls of a mouth is
    red, and teeth in plain grey shade look dead."""
    return np.asarray(share[..., None] ** np.array([0.62, 1.0, 1.10]))
