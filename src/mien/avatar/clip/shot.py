"""Which part of a clip a picture shows, as a camera's frame would."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.folder import Box
from mien.avatar.framing import Cut, Rect, view
from mien.media.tick import Image

Floats = NDArray[np.float32]

# A filmed scene is cut off on every side: no picture may reach beyond it.
CUT = Cut(left=True, top=True, right=True)
SAME_ASPECT = 0.01  # a picture this near the clip's own shape shows all of it
WIDE = 1.2  # width / height from which a picture is a scene rather than a face


@dataclass(frozen=True, slots=True)
class Shot:
    """The whole pixels ``part`` of the clip, scaled to ``size`` (width, height)."""

    part: Rect
    size: tuple[int, int]

    @property
    def untouched(self) -> bool:
        """Whether pictures are the clip's own pixels."""
        return (self.part.width, self.part.height) == self.size

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the picture per pixel of the clip, in x and y."""
        return self.size[0] / self.part.width, self.size[1] / self.part.height

    def of(self, picture: Image) -> Image:
        """uint8[H, W, 3] of ``size``, from one of the clip's size; a view where nothing is
        scaled."""
        part = picture[self.part.slices]
        if self.untouched:
            return part
        how = cv2.INTER_AREA if self.scale[1] < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, self.size, interpolation=how), np.uint8)

    def boxes(self, boxes: Floats) -> Floats:
        """float32[N, 4] left, top, right, bottom: from pixels of the clip to the picture's."""
        return self.points(boxes.reshape(-1, 2)).reshape(-1, 4)

    def points(self, points: Floats) -> Floats:
        """float32[..., 2] x, y: from pixels of the clip to the picture's."""
        corner = np.array((self.part.left, self.part.top), np.float32)
        return np.asarray((points - corner) * np.array(self.scale, np.float32), np.float32)


def frame_shot(size: tuple[int, int], clip: tuple[int, int], focus: Box, chin: float) -> Shot:
    """How a picture of ``size`` (width, height) shows a clip of the size ``clip``.

    One of the clip's own shape shows all of it, another wide one as much as fits, a square one
    the focus, a tall one the focus and the body below. chin: y, kept in the picture.
    """
    aspect = size[0] / size[1]
    own = clip[0] / clip[1]
    if abs(aspect / own - 1) < SAME_ASPECT or aspect >= WIDE:
        wide = min(clip[0], clip[1] * aspect)
        tall = wide / aspect
        left = focus[0] + focus[2] / 2 - wide / 2
        top = focus[1] + focus[3] / 2 - tall / 2
    else:
        seen = view(size, clip, focus, CUT, chin)
        wide, tall = size[0] / seen.scale, size[1] / seen.scale
        left, top = seen.left, seen.top
    width = min(clip[0], max(1, round(wide)))
    height = min(clip[1], max(1, round(tall)))
    part = Rect(
        min(max(0, round(left)), clip[0] - width),
        min(max(0, round(top)), clip[1] - height),
        width,
        height,
    )
    return Shot(part, size)
