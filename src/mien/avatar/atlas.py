"""A rendered presenter: an atlas of mouths and eyes on a layered figure that moves a little.

One picture is made in three steps: paint eyes and mouth on the face, bend every layer (head,
breath, sway), lay the layers over the background.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from mien.avatar.background import SOFT, Background, blurred
from mien.avatar.contract import Pose
from mien.avatar.life import IdleLife
from mien.avatar.package import Package
from mien.avatar.resample import placed
from mien.avatar.stage_set import StageSet
from mien.lipsync.contract import Mouth
from mien.media.tick import Image

# A picture costs about 2 ms on one core; threads inside it would only fight with our own.
cv2.setNumThreads(1)

DEFAULT_SIZE = (512, 512)
LARGEST_SIDE = 4096


class AtlasAvatar:
    """Implements ``mien.avatar.contract.Avatar``. Immutable; use it from any thread."""

    def __init__(
        self,
        package: Package,
        size: tuple[int, int] | None = None,
        background: Background = SOFT,
    ) -> None:
        """size: width, height of its pictures, both even; None for 512×512.

        Everything is scaled once, here. Raises ValueError for an odd size, BackgroundError for a
        background that cannot be used.
        """
        self._fill(StageSet(package, _checked(size or DEFAULT_SIZE)), background)

    def _fill(self, stage: StageSet, background: Background) -> None:
        package = stage.package
        self._stage = stage
        self._background = background
        width, height = stage.size
        self._backdrop = stage.frame()
        if background.kind == "soft" and package.backdrop is not None:
            # In place behind the figure, as it was in the photo that both were cut from.
            picture = blurred(placed(package.backdrop, stage.view, stage.size), background.blur)
        else:
            picture = background.picture(stage.size, package.centre, package.edge)
        cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA, dst=self._backdrop[:height, :width])
        self._backdrop.setflags(write=False)
        self._local = threading.local()

    @property
    def name(self) -> str:
        return self.package.name

    @property
    def title(self) -> str:
        return self.package.title

    @property
    def path(self) -> Path:
        return self.package.path

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the lip-sync engines it can be driven by, best first."""
        return self.package.engines

    @property
    def package(self) -> Package:
        return self._stage.package

    @property
    def stage(self) -> StageSet:
        """Its material at the size of its pictures."""
        return self._stage

    @property
    def size(self) -> tuple[int, int]:
        return self._stage.size

    @property
    def background(self) -> Background:
        return self._background

    def with_background(self, background: Background) -> Self:
        """The same person elsewhere; cheap, all but the background is shared.

        Raises BackgroundError.
        """
        return self if background == self._background else self._sibling(self._stage, background)

    def framed(self, size: tuple[int, int]) -> Self:
        """The same person in pictures of another size."""
        if size == self.size:
            return self
        return self._sibling(StageSet(self.package, _checked(size)), self._background)

    def _sibling(self, stage: StageSet, background: Background) -> Self:
        other = object.__new__(type(self))
        other._fill(stage, background)
        return other

    def life(self, seed: int) -> IdleLife:
        return IdleLife(seed)

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """uint8[H, W, 3] RGB, newly made; depends on mouth and pose only.

        Raises ValueError for a mouth that is a painted patch: this avatar draws shapes.
        """
        frame = self._frame()
        np.copyto(frame, self._backdrop)
        self._stage.draw(frame, mouth, pose)
        return self._cropped(frame, cv2.COLOR_RGBA2RGB)

    @property
    def has_outline(self) -> bool:
        """Whether there is something to see through: not in a photo that was taken as a whole."""
        return not self._stage.fills_picture

    def cutout(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """uint8[H, W, 4] RGBA, straight alpha, without background; otherwise as ``compose``."""
        frame = self._frame()
        frame.fill(0)
        self._stage.draw(frame, mouth, pose)
        return self._cropped(frame, cv2.COLOR_mRGBA2RGBA)

    def _frame(self) -> Image:
        frame: Image | None = getattr(self._local, "frame", None)
        if frame is None:
            frame = self._local.frame = self._stage.frame()
        return frame

    def _cropped(self, frame: Image, code: int) -> Image:
        width, height = self.size
        return np.asarray(cv2.cvtColor(frame[:height, :width], code), np.uint8)


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    if not all(16 <= side <= LARGEST_SIDE and side % 2 == 0 for side in size):
        raise ValueError(f"pictures of {size[0]}×{size[1]}: both must be even, 16…{LARGEST_SIDE}")
    return size
