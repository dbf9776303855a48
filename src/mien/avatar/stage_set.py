"""One person's material at the scale of one picture size, and how a figure is drawn from it.

Named after a film's set: everything that stands ready when the cameras run.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mien.avatar.contract import Pose
from mien.avatar.face import Face, PaintedFace
from mien.avatar.framing import Rect, View, view
from mien.avatar.layers import ScaledLayer, cut_sides
from mien.avatar.motion import controls
from mien.avatar.package import Package
from mien.avatar.tiles import CLEAR, OPAQUE, TILE, Bench, lay, tiled, tiles_of
from mien.lipsync.contract import Mouth
from mien.media.tick import Image


@dataclass
class _Desk:
    """What one thread draws with."""

    face: PaintedFace
    bench: Bench


class StageSet:
    """Immutable; ``draw`` may be called from any thread. size: width, height in pixels."""

    def __init__(self, package: Package, size: tuple[int, int]) -> None:
        self.package, self.size = package, size
        self.view = view(size, package.size, package.focus, cut_sides(package), package.chin)
        # Larger than the canvas nothing gets sharper, only dearer: then the bend enlarges it.
        self.material = self.view if self.view.scale < 1 else View(0.0, 0.0, 1.0)
        self._face = Face(package, self.material)
        self._layers = [
            ScaledLayer(
                layer,
                package,
                self.view,
                size,
                self.material,
                self._face.place if i == package.face else None,
            )
            for i, layer in enumerate(package.layers)
        ]
        self._painted = self._layers[package.face]
        for part in self._face.parts:
            self._painted.widen_cover(part.place, *part.alpha)
        self._local = threading.local()

    @property
    def mouth_place(self) -> Rect:
        """Pixels of the picture that the resting head's mouth is painted on."""
        return self.view.rect(self.package.mouth.box)

    def frame(self) -> Image:
        """A picture to draw on: uint8[rows, columns, 4] of zeros, ``size`` in its left top corner
        and filled up to whole tiles."""
        rows, columns = tiles_of(self.size)
        return np.zeros((rows * TILE, columns * TILE, 4), np.uint8)

    @cached_property
    def fills_picture(self) -> bool:
        """Whether nothing is to be seen beside the person; found out by drawing them once."""
        frame, (width, height) = self.frame(), self.size
        self.draw(frame, None, Pose())
        return bool(frame[:height, :width, 3].all())

    def draw(self, frame: Image, mouth: Mouth | None, pose: Pose) -> None:
        """Draws the person over ``frame`` (see there; RGBA, premultiplied; changed).

        Raises ValueError for a mouth that is a painted patch.
        """
        if mouth is not None and mouth.shape is None and mouth.patch is not None:
            raise ValueError(
                f"avatar {self.package.name!r} draws mouth shapes; it cannot use a patch"
            )
        desk = self._desk()
        bent = controls(pose)
        plans = []
        hidden = np.zeros(tiles_of(self.size), bool)
        for layer in reversed(self._layers):
            corners = layer.corners(bent)
            states = layer.cover.at(corners)
            behind = hidden[layer.window]
            states[behind] = CLEAR
            behind |= states == OPAQUE
            plans.append((layer, corners, states))
        words = tiled(frame)
        for layer, corners, states in reversed(plans):
            image = desk.face.paint(mouth, pose) if layer is self._painted else layer.image
            lay(image, corners, states, words[layer.window], desk.bench)

    def _desk(self) -> _Desk:
        desk: _Desk | None = getattr(self._local, "desk", None)
        if desk is None:
            painted = PaintedFace(self._face, self._painted.image, self._painted.place)
            desk = self._local.desk = _Desk(painted, Bench())
        return desk
