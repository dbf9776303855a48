"""One person's material at the scale of one picture size, and how a figure is drawn from it.

Named after a film's set: everything that stands ready when the cameras run.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from mien.avatar.contract import Pose
from mien.avatar.framing import Rect, view
from mien.avatar.layers import Scratch, cut_sides, draw, scaled_layer, scratch_for
from mien.avatar.morph import Morph
from mien.avatar.package import Package
from mien.avatar.shape_space import EyeSpace, MouthSpace
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image


@dataclass
class _Desk:
    """What one thread draws on."""

    face: Image
    scratch: list[Scratch]


class StageSet:
    """Immutable; ``draw`` may be called from any thread. size: width, height in pixels."""

    def __init__(self, package: Package, size: tuple[int, int]) -> None:
        self.package, self.size = package, size
        self.view = view(size, package.size, package.focus, cut_sides(package))
        picture = Rect(0, 0, *size)
        self._mouth = Morph(package.mouth, self.view)
        self._mouth_space = MouthSpace(package.mouth.places)
        self._eyes = None if package.eyes is None else Morph(package.eyes, self.view)
        self._eye_space = None if package.eyes is None else EyeSpace(package.eyes.places)
        painted = self._mouth.place
        if self._eyes is not None:
            painted = painted.joined(self._eyes.place)
        scaled = [
            scaled_layer(layer, package, self.view, picture, painted if i == package.face else None)
            for i, layer in enumerate(package.layers)
        ]
        self._face = scaled[package.face]
        self._layers = [layer for layer in scaled if layer is not None]
        self._painted = painted
        self._local = threading.local()

    @property
    def mouth_place(self) -> Rect:
        """Pixels of the picture that the resting head's mouth is painted on."""
        return self._mouth.place

    def draw(self, frame: Image, mouth: Mouth | None, pose: Pose) -> None:
        """Draws the person over ``frame``: uint8[H, W, 4] RGBA, premultiplied (changed).

        Raises ValueError for a mouth that is a painted patch.
        """
        if mouth is not None and mouth.shape is None and mouth.patch is not None:
            raise ValueError(
                f"avatar {self.package.name!r} draws mouth shapes; it cannot use a patch"
            )
        desk = self._desk()
        shape, weight = (None, 0.0) if mouth is None else (mouth.shape, mouth.weight)
        if self._face is not None:
            self._paint(desk.face, self._face.place, shape, weight, pose)
        for layer, scratch in zip(self._layers, desk.scratch, strict=True):
            draw(layer, desk.face if layer is self._face else layer.image, pose, frame, scratch)

    def _paint(
        self, face: Image, origin: Rect, shape: MouthShape | None, weight: float, pose: Pose
    ) -> None:
        assert self._face is not None
        changed = self._painted.seen_from(origin).slices
        np.copyto(face[changed], self._face.image[changed])
        if self._eyes is not None and self._eye_space is not None:
            weights = self._eye_space.weights(pose.blink, pose.gaze_x, pose.gaze_y, pose.brow)
            brow = {}
            if not self._eye_space.has_brows:
                brow = {"brow_up": max(pose.brow, 0.0), "brow_down": max(-pose.brow, 0.0)}
            self._eyes.paint(face, origin, weights, brow)
        smile = {}
        if not self._mouth_space.has_smiles:
            smile = {"smile": min(max(pose.smile, 0.0), 1.0)}
        mouths = self._mouth_space.weights(shape, weight, pose.smile)
        self._mouth.paint(face, origin, mouths, smile)

    def _desk(self) -> _Desk:
        desk: _Desk | None = getattr(self._local, "desk", None)
        if desk is None:
            face = np.empty((0, 0, 4), np.uint8) if self._face is None else self._face.image.copy()
            desk = self._local.desk = _Desk(face, [scratch_for(layer) for layer in self._layers])
        return desk
