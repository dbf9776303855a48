"""A filmed presenter, seeded weights, and an eye for where and when a picture was painted on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import clips
from mien.avatar.clip.avatar import ClipAvatar
from mien.avatar.clip.build import ClipRequest, build_clip
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.config import LipSyncSection
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.media.tick import Image
from mien.mouths import Mouths
from photo_faces import models
from wav2lip_seeded import seeded

SIZE = clips.SIZE
# Levels of 255 by which a mouth's mean colour differs from that of the resting one. Seeded weights
# paint noise, which encoders blur, but in another colour for any sound: by 10 to 17, silence by 3.
MOVED = 6.0


@dataclass(frozen=True)
class Scene:
    """avatar: its folder. weights: a checkpoint of seeded numbers: mouths are noise."""

    avatar: Path
    weights: Path

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("--avatar", str(self.avatar))

    @property
    def environment(self) -> dict[str, str]:
        return {"MIEN_LIPSYNC__WEIGHTS": str(self.weights)}

    @cached_property
    def eye(self) -> Eye:
        return Eye(self)


@dataclass(frozen=True)
class Sight:
    """frame: which picture of the clip this is. outside: mean difference to it where nothing may be
    painted; moved: how far the mouth's mean colour is from the resting one's. Levels of 255."""

    frame: int
    outside: float
    moved: float


class Eye:
    """Knows every picture of the clip with its mouth at rest."""

    def __init__(self, scene: Scene) -> None:
        person = load_avatar(scene.avatar)
        assert isinstance(person, ClipAvatar) and person.size == SIZE
        mouths = Mouths(LipSyncSection(weights=str(scene.weights), cache="ram"))
        lipsync = mouths.of(person)
        person = person.matched_to(lipsync)
        count = len(person.package)
        self._filmed = np.stack([person.package.picture(i) for i in range(count)])
        self._rest = np.stack(
            [person.compose(0, lipsync.rest(i), Pose(frame=i)) for i in range(count)]
        )
        mouths.close()
        painted = np.abs(self._filmed.astype(np.int16) - self._rest).max((0, 3)) > 0
        rows, columns = np.flatnonzero(painted.any(1)), np.flatnonzero(painted.any(0))
        self._mouth = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        self._elsewhere = ~painted
        # Blocks of the encoder that hold both noise and skin blur one into the other.
        self._elsewhere[
            max(0, rows[0] - 16) : rows[-1] + 17, columns[0] - 16 : columns[-1] + 17
        ] = 0
        self._sample = tuple(np.argwhere(self._elsewhere)[::11].T)  # all would take a second a clip
        # What tells one picture from another moves; a few thousand such pixels are enough.
        lively = self._elsewhere & (np.ptp(self._filmed[::5].astype(np.int16), 0).max(2) > 8)
        found = np.argwhere(lively)
        self._telling = tuple(found[:: max(1, len(found) // 4000)].T)
        self._known = self._filmed[:, *self._telling].astype(np.int16)
        self._always = np.abs(self._filmed.astype(np.int16) - self._rest).max(3).min(0) > 20
        first, stop = person.package.idle or (0, 0)
        self._rest[first:stop] = self._filmed[first:stop]  # closed by itself: shown as filmed
        self._rest_colour = [rest[self._always].mean(0) for rest in self._rest]

    def see(self, picture: Image) -> Sight:
        """picture: uint8[H, W, 3] RGB, decoded."""
        frame = int(np.abs(self._known - picture[self._telling]).mean((1, 2)).argmin())
        outside = self._apart(picture, self._filmed[frame], self._sample)
        shift = picture[self._always].mean(0) - self._rest_colour[frame]
        return Sight(frame, outside, float(np.abs(shift).max()))

    @property
    def mouth_box(self) -> list[int]:
        """Left, top, width, height of what may be painted on, in pixels."""
        rows, columns = self._mouth
        box = columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        return [int(side) for side in box]

    @staticmethod
    def _apart(a: Image, b: Image, where: tuple[np.ndarray, ...]) -> float:
        return float(np.abs(a[where].astype(np.int16) - b[where]).mean())


def make_scene(folder: Path, checkpoint: Checkpoint | None = None) -> Scene:
    """Films the presenter and makes an avatar of the clip. Skips without the face models.

    checkpoint: what paints; None = the network of 96 pixels, seeded.
    """
    clip = clips.encode(folder / "clip.mp4", clips.filmed())
    request = ClipRequest("filmed", consent=True, models=models(), root=folder / "avatars")
    built = build_clip(clip, request)
    weights = folder / "seeded.safetensors"
    save_file((checkpoint or seeded(96)).state, weights)
    return Scene(built.path, weights)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("scene"))
