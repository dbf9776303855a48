"""The layers of the figure at the picture's scale, bent and laid over each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.contract import Pose
from mien.avatar.framing import Cut, Rect, View
from mien.avatar.motion import Body, Motion
from mien.avatar.package import Layer, Package
from mien.avatar.resample import premultiplied, resampled
from mien.media.tick import Image

NO_MAP: Any = None  # x and y are in one map, which the stubs of OpenCV do not know


@dataclass(frozen=True)
class ScaledLayer:
    """image: uint8[h, w, 4] RGBA, premultiplied, of the pixels ``place`` of the picture."""

    image: Image
    place: Rect
    motion: Motion


@dataclass
class Scratch:
    """One thread's buffers for one layer: nothing large is allocated per picture."""

    maps: NDArray[np.float32]
    moved: Image
    see_through: Image


def scaled_layer(
    layer: Layer, package: Package, view: View, picture: Rect, needed: Rect | None
) -> ScaledLayer | None:
    """None when nothing of it can come into the picture. needed: pixels it must have anyway."""
    body = Body.of(package)
    content = view.rect(_content(layer)).grown(2)
    reach = Motion(layer, body, view, content).reach
    place = content.within(picture.grown(reach))
    target = content.grown(reach).within(picture)
    if needed is not None:
        place = place.joined(needed)
    if 0 in (target.width, target.height):
        return None
    image = resampled(premultiplied(layer.image), layer.box[:2], view, place)
    image.setflags(write=False)
    return ScaledLayer(image, place, Motion(layer, body, view, target))


def draw(layer: ScaledLayer, image: Image, pose: Pose, frame: Image, scratch: Scratch) -> None:
    """Bend ``image`` (the layer's own, or painted on) and lay it over ``frame`` (changed).

    frame: uint8[H, W, 4] RGBA, premultiplied.
    """
    coarse = layer.motion.source(pose)
    maps = layer.motion.full(coarse, layer.place, scratch.maps)
    moved = cv2.remap(
        image,
        maps,
        NO_MAP,
        cv2.INTER_LINEAR,
        dst=scratch.moved,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # Premultiplied: layer + what is below * (1 - alpha).
    alpha = cv2.extractChannel(moved, 3)
    cv2.bitwise_not(alpha, dst=alpha)
    cv2.merge([alpha] * 4, dst=scratch.see_through)
    below = frame[layer.motion.target.slices]
    cv2.multiply(below, scratch.see_through, dst=below, scale=1 / 255)
    cv2.add(below, moved, dst=below)


def scratch_for(layer: ScaledLayer) -> Scratch:
    target = layer.motion.target
    shape = (target.height, target.width, 4)
    return Scratch(layer.motion.canvas(), np.empty(shape, np.uint8), np.empty(shape, np.uint8))


def cut_sides(package: Package) -> Cut:
    """On which sides of the canvas the figure is cut off within its focus."""
    width, height = package.size
    left, top, right = False, False, False
    rows = slice(0, package.focus[1] + package.focus[3])
    for layer in package.layers:
        alpha = np.zeros((height, width), np.uint8)
        x, y, w, h = layer.box
        alpha[y : y + h, x : x + w] = layer.image[..., 3]
        seen = alpha > 32
        left |= bool(seen[rows, 0].any())
        right |= bool(seen[rows, -1].any())
        top |= bool(seen[0].any())
    return Cut(left, top, right)


def _content(layer: Layer) -> tuple[int, int, int, int]:
    """The box of the canvas outside which the layer is clear."""
    seen = layer.image[..., 3] > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        return layer.box[0], layer.box[1], 1, 1
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
    return layer.box[0] + left, layer.box[1] + top, width, height
