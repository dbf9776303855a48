"""Eyes and mouth painted on the layer of the figure that carries the face."""

from __future__ import annotations

import cv2
import numpy as np

from mien.avatar.contract import Pose
from mien.avatar.framing import Rect, View
from mien.avatar.morph import Morph
from mien.avatar.package import Package
from mien.avatar.shape_space import EyeSpace, MouthSpace
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image


class Face:
    """Immutable. place: all that is painted on, in pixels of the material."""

    def __init__(self, package: Package, material: View) -> None:
        self.mouth = Morph(package.mouth, material)
        self._mouth_space = MouthSpace(package.mouth.places)
        self.eyes = None if package.eyes is None else Morph(package.eyes, material)
        self._eye_space = None if package.eyes is None else EyeSpace(package.eyes.places)
        self.place: Rect = self.mouth.place
        if self.eyes is not None:
            self.place = self.place.joined(self.eyes.place)

    @property
    def parts(self) -> list[Morph]:
        return [self.mouth] if self.eyes is None else [self.mouth, self.eyes]

    def patches(self, mouth: Mouth | None, pose: Pose) -> list[Image]:
        """What to paint: uint8[h, w, 4] RGBA, premultiplied, for each of ``parts``.

        The same array as last time when nothing has changed.
        """
        shape, weight = (None, 0.0) if mouth is None else (mouth.shape, mouth.weight)
        patches = [self._mouth_patch(shape, weight, pose)]
        if self.eyes is not None and self._eye_space is not None:
            looks = (pose.blink, pose.gaze_x, pose.gaze_y, pose.brow)
            bends = {}
            if not self._eye_space.has_brows:
                bends = {"brow_up": max(pose.brow, 0.0), "brow_down": max(-pose.brow, 0.0)}
            weights, shifts = self._eye_space.weights(*looks), self._eye_space.shifts(*looks)
            patches.append(self.eyes.patch(weights, bends, shifts))
        return patches

    def _mouth_patch(self, shape: MouthShape | None, weight: float, pose: Pose) -> Image:
        bends = {}
        if not self._mouth_space.has_smiles:
            bends = {"smile": min(max(pose.smile, 0.0), 1.0)}
        return self.mouth.patch(self._mouth_space.weights(shape, weight, pose.smile), bends)


class PaintedFace:
    """One thread's copy of the layer with eyes and mouth painted on it.

    Every pixel is the resting face times what the parts' masks leave, plus the parts times their
    masks. The first term never changes; it is all that has to be restored.
    """

    def __init__(self, face: Face, layer: Image, place: Rect) -> None:
        """layer: uint8[h, w, 4] RGBA, premultiplied, of the pixels ``place`` of the material."""
        self._face = face
        self.image = layer.copy()
        self._painted = self.image[face.place.seen_from(place).slices]
        self._last: list[Image] = []
        left = np.ones(self._painted.shape[:2], np.float32)
        self._parts = []
        for part in face.parts:
            at = part.place.seen_from(face.place).slices
            mask = np.round(part.mask * left[at] * 255).astype(np.uint8)  # never above 1 in all
            left[at] -= mask / np.float32(255)
            self._parts.append((self._painted[at], np.repeat(mask[..., None], 4, axis=2)))
        rest = np.round(self._painted * np.clip(left, 0, 1)[..., None])
        self._rest = rest.astype(np.uint8)

    def paint(self, mouth: Mouth | None, pose: Pose) -> Image:
        """The whole layer, uint8[h, w, 4] RGBA, premultiplied; valid until the next call."""
        patches = self._face.patches(mouth, pose)
        if len(self._last) == len(patches) and all(map(_same, self._last, patches)):
            return self.image
        self._last = patches
        np.copyto(self._painted, self._rest)
        for (view, mask), patch in zip(self._parts, patches, strict=True):
            cv2.add(view, cv2.multiply(patch, mask, scale=1 / 255), dst=view)
        return self.image


def _same(a: Image, b: Image) -> bool:
    return a is b
