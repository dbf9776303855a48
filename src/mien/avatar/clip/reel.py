"""A clip ready to be shown: its pictures, boxes and masks at the scale of one picture size."""

from __future__ import annotations

import threading
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.avatar.clip.frames import Cache, Progress, open_frames
from mien.avatar.clip.grain import Grain, grain_like, measured, shifted
from mien.avatar.clip.mask import masks
from mien.avatar.clip.package import ClipPackage
from mien.avatar.clip.paste import mask_over, rim_gain
from mien.avatar.clip.points import CHIN
from mien.avatar.clip.shot import frame_shot
from mien.lipsync.contract import LipSync

Floats = NDArray[np.float32]

# Standard deviation, in frames, of what a frame's colour match takes from its neighbours: the match
# is as steady as the light, however much noise there is around a mouth.
STEADY_FRAMES = 3.0
GRAIN_FRAMES = 6  # looked at to measure the clip's noise
MOSTLY_FILMED = 0.5  # share of a patch up to which the skin around a mouth is looked at


class Reel:
    """Immutable; shared by all that show it. size: width, height of its pictures.

    frames: uint8[H, W, 3] RGB by index, read-only. boxes: float32[N, 4] and landmarks: float32[N,
    468, 2] in pixels of the picture. gains: float32[N, 3, 3], see ``colour``, or None: matched
    anew for every tick.
    """

    def __init__(
        self,
        package: ClipPackage,
        size: tuple[int, int],
        cache: Cache = "none",
        on_progress: Progress | None = None,
    ) -> None:
        """cache, on_progress: see ``open_frames``. Raises AvatarError as it does."""
        chin = float(np.median(package.landmarks[:, CHIN, 1]))
        self.package, self.size = package, size
        self.shot = frame_shot(size, package.size, package.focus, chin)
        self.frames = open_frames(package, self.shot, cache, on_progress)
        self.boxes = self.shot.boxes(package.boxes)
        self.landmarks = self.shot.points(package.landmarks)
        self.gains: Floats | None = None
        self._masks: NDArray[np.uint8] | None = None
        self._grain: tuple[Grain | None] | None = None  # None: not measured yet
        self._lock = threading.Lock()

    @property
    def masks(self) -> NDArray[np.uint8]:
        """uint8[N, 64, 64], see ``mask.masks``; drawn at the first use, 0.3 ms each."""
        with self._lock:
            if self._masks is None:
                self._masks = masks(self.package.boxes, self.package.landmarks)
                self._masks.setflags(write=False)
            return self._masks

    def grain(self, frame: int) -> Grain | None:
        """What to add to a patch on ``frame``, see ``grain``; None for a clip without noise.
        Measured at the first use, in some 20 ms."""
        masks = self.masks
        with self._lock:
            if self._grain is None:
                self._grain = (self._measured(masks),)
        return None if self._grain[0] is None else shifted(self._grain[0], frame)

    def _measured(self, masks: NDArray[np.uint8]) -> Grain | None:
        parts, skin = [], []
        for frame in np.linspace(0, len(masks) - 1, GRAIN_FRAMES).astype(int):
            share, rect = mask_over(masks[frame], self.boxes[frame], self.size)
            parts.append(self.frames[frame][rect.slices])
            skin.append((share > 0) & (share < MOSTLY_FILMED))
        largest = np.ceil((self.boxes[:, 2:] - self.boxes[:, :2]).max(0)).astype(int) + 2
        return grain_like(*measured(parts, skin), (int(largest[0]), int(largest[1])))

    def matched_to(self, lipsync: LipSync) -> Self:
        """The same with its colours settled for an engine: from the silent mouth it paints on each
        frame, steadied over neighbouring frames. What an engine gets wrong about a face's colour
        does not depend on what is said; matched tick by tick, every open mouth would shift it.

        Takes 0.3 ms a frame, and decoding where frames are not cached. Itself when the engine
        leaves silence to the clip.
        """
        found: list[Floats] = []
        for frame in range(len(self.package)):
            rest = lipsync.rest(frame)
            if rest is None or rest.patch is None:
                return self
            picture = self.frames[frame]
            gain = rim_gain(picture, rest.patch, self.boxes[frame], self.masks[frame], rest.place)
            found.append(np.zeros((3, 3), np.float32) if gain is None else gain)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.gains = _steadied(np.stack(found), wraps=self.package.loop == "forward")
        return other


def _steadied(values: Floats, wraps: bool) -> Floats:
    """float32[N, 3, 3] smoothed along the clip as it is played."""
    reach = int(3 * STEADY_FRAMES)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / STEADY_FRAMES) ** 2)
    kernel /= kernel.sum()
    flat, beyond = values.reshape(len(values), -1), ((reach, reach), (0, 0))
    wide = np.pad(flat, beyond, mode="wrap") if wraps else np.pad(flat, beyond, mode="reflect")
    columns = [np.convolve(column, kernel, "valid") for column in wide.T]
    return np.stack(columns, 1).reshape(values.shape).astype(np.float32)
