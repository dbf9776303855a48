"""A rendered presenter: an atlas of mouths and eyes on a figure that moves a little.

One picture is made in three steps: paint eyes and mouth on the still figure, bend the figure
(head, breath, sway), lay it over the background.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.contract import Pose
from mien.avatar.life import IdleLife
from mien.avatar.morph import Morph
from mien.avatar.motion import Motion
from mien.avatar.package import Package
from mien.avatar.shape_space import EyeSpace, MouthSpace
from mien.lipsync.contract import Mouth
from mien.media.tick import Image

# A picture costs about 2 ms on one core; threads inside it would only fight with our own.
cv2.setNumThreads(1)


@dataclass
class _Scratch:
    """One thread's buffers: nothing large is allocated per picture but the picture itself."""

    figure: Image
    moved: Image
    coarse: NDArray[np.float32]
    map_x: NDArray[np.float32]
    map_y: NDArray[np.float32]
    see_through: Image
    behind: Image


class AtlasAvatar:
    """Implements ``mien.avatar.contract.Avatar``. Immutable; use it from any thread."""

    def __init__(self, package: Package, background: Image | None = None) -> None:
        """background: uint8[H, W, 3] RGB of the avatar's size; None = its own soft gradient.

        Raises ValueError when the background's size is not the avatar's.
        """
        self._package = package
        width, height = package.size
        soft = background is None
        if background is None:
            background = gradient(package.size, package.centre, package.edge)
        elif background.shape != (height, width, 3) or background.dtype != np.uint8:
            raise ValueError(
                f"background must be uint8[{height}, {width}, 3] RGB, "
                f"not {background.dtype}{list(background.shape)}"
            )
        self._background = background.copy()
        self._background.setflags(write=False)
        self._figure = _premultiplied(package.figure)
        # Our own gradient is so soft that it may bend with the figure: nobody sees it, and laying
        # the figure over it anew would cost a third of the picture.
        self._one_piece = soft
        if soft:
            see_through = 255 - self._figure[..., 3:].astype(np.uint16)
            self._figure[..., :3] += (self._background * see_through // 255).astype(np.uint8)
            self._figure[..., 3] = 255
        self._mouth = Morph(package.mouth)
        self._mouth_space = MouthSpace(package.mouth.places)
        self._eyes = None if package.eyes is None else Morph(package.eyes)
        self._eye_space = None if package.eyes is None else EyeSpace(package.eyes.places)
        self._motion = Motion(package.size, package.neck, package.chin, package.depth)
        self._local = threading.local()

    @property
    def name(self) -> str:
        return self._package.name

    @property
    def title(self) -> str:
        return self._package.title

    @property
    def path(self) -> Path:
        return self._package.path

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the lip-sync engines it can be driven by, best first."""
        return self._package.engines

    @property
    def package(self) -> Package:
        return self._package

    @property
    def size(self) -> tuple[int, int]:
        return self._package.size

    def with_background(self, background: Image | None) -> AtlasAvatar:
        """The same person elsewhere: uint8[H, W, 3] RGB, or None for the default gradient."""
        return AtlasAvatar(self._package, background)

    def life(self, seed: int) -> IdleLife:
        return IdleLife(seed)

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> Image:
        """uint8[H, W, 3] RGB, newly made; depends on mouth and pose only.

        Raises ValueError for a mouth that is a painted patch: this avatar draws shapes.
        """
        if mouth is not None and mouth.shape is None and mouth.patch is not None:
            raise ValueError(f"avatar {self.name!r} draws mouth shapes; it cannot use a patch")
        scratch = self._scratch()
        figure = scratch.figure
        np.copyto(figure, self._figure)
        if self._eyes is not None and self._eye_space is not None:
            weights = self._eye_space.weights(pose.blink, pose.gaze_x, pose.gaze_y)
            brow = {"brow_up": max(pose.brow, 0.0), "brow_down": max(-pose.brow, 0.0)}
            self._eyes.paint(figure, weights, brow)
        shape, weight = (None, 0.0) if mouth is None else (mouth.shape, mouth.weight)
        smile = {"smile": min(max(pose.smile, 0.0), 1.0)}
        self._mouth.paint(figure, self._mouth_space.weights(shape, weight), smile)
        return self._over_background(scratch, pose)

    def _over_background(self, scratch: _Scratch, pose: Pose) -> Image:
        coarse = self._motion.source(pose, scratch.coarse)
        map_x = self._motion.full(coarse, 0, scratch.map_x)
        map_y = self._motion.full(coarse, 1, scratch.map_y)
        moved = cv2.remap(
            scratch.figure,
            map_x,
            map_y,
            cv2.INTER_LINEAR,
            dst=scratch.moved,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if self._one_piece:
            return np.asarray(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), np.uint8)
        # The figure is premultiplied: figure + background * (1 - alpha).
        cv2.extractChannel(moved, 3, dst=scratch.see_through)
        cv2.bitwise_not(scratch.see_through, dst=scratch.see_through)
        holes = cv2.merge([scratch.see_through] * 3)
        cv2.multiply(self._background, holes, dst=scratch.behind, scale=1 / 255)
        out = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
        cv2.add(out, scratch.behind, dst=out)
        return np.asarray(out, np.uint8)

    def _scratch(self) -> _Scratch:
        scratch: _Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            width, height = self.size
            plane = (height, width)
            scratch = self._local.scratch = _Scratch(
                figure=np.empty((height, width, 4), np.uint8),
                moved=np.empty((height, width, 4), np.uint8),
                coarse=self._motion.coarse(),
                map_x=self._motion.canvas(),
                map_y=self._motion.canvas(),
                see_through=np.empty(plane, np.uint8),
                behind=np.empty((height, width, 3), np.uint8),
            )
        return scratch


def _premultiplied(figure: Image) -> Image:
    alpha = figure[..., 3:].astype(np.uint16)
    out = figure.copy()
    out[..., :3] = (figure[..., :3] * alpha + 127) // 255
    return out


def gradient(
    size: tuple[int, int], centre: tuple[int, int, int], edge: tuple[int, int, int]
) -> Image:
    """A soft round gradient, uint8[H, W, 3] RGB, dithered so that it shows no bands."""
    width, height = size
    x = np.linspace(-1, 1, width)[None]
    y = np.linspace(-0.9, 1.1, height)[:, None]
    t = np.clip(np.sqrt(x * x + y * y) / 1.35, 0, 1)[..., None]
    t = t * t * (3 - 2 * t)
    colour = np.array(centre) * (1 - t) + np.array(edge) * t
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (height, width, 1))
    return np.clip(np.round(colour + noise), 0, 255).astype(np.uint8)
