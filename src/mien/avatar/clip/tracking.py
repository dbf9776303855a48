"""One face through a clip: its 468 points in every frame, and what was seen on the way.

The face is followed from each picture to the next by its own points; searching all of the picture
is done at first, where it was lost, and now and then to notice a second face.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.checks import DOMINANT, mouth_covered, sharpness
from mien.avatar.photo.landmarks import Face, FaceReader
from mien.avatar.photo.tones import LUMA, skin_colour
from mien.media.tick import FPS, Image

LOOK_AROUND = 12  # frames between searches: a second face is noticed within half a second
LOOK_CLOSELY = 3  # frames between looks at the mouth: a hand before it stays longer
GIVE_UP = 2 * FPS  # frames without a face after which nothing more is read
THUMBNAIL = (64, 36)  # pixels in which pictures are compared


@dataclass(slots=True)
class Track:
    """What the tracker saw; lists have one entry for each frame, in order.

    points: float32[468, 3] pixels, None where the face was not found. others: frame → shares of
    the face's area that the next largest face has. covered: frames whose mouth cannot be seen.
    sharp, light: of frames now and then, see ``photo.checks``. small: uint8[36, 64, 3] RGB.
    """

    size: tuple[int, int]
    points: list[NDArray[np.float32] | None] = field(default_factory=list)
    others: dict[int, float] = field(default_factory=dict)
    covered: list[int] = field(default_factory=list)
    sharp: list[float] = field(default_factory=list)
    light: list[float] = field(default_factory=list)
    small: list[Image] = field(default_factory=list)

    def differ(self, one: int, other: int) -> float:
        """Levels by which two pictures differ on average."""
        apart = self.small[one].astype(np.float32) - self.small[other]
        return float(np.abs(apart).mean())

    @property
    def missed(self) -> int:
        """Frames since the face was last seen."""
        for back, points in enumerate(reversed(self.points)):
            if points is not None:
                return back
        return len(self.points)


class Tracker:
    """Sees the pictures of one clip, in order."""

    def __init__(self, reader: FaceReader, size: tuple[int, int]) -> None:
        self.track = Track(size)
        self._reader = reader
        self._face: Face | None = None

    def see(self, picture: Image) -> bool:
        """The next picture, uint8[H, W, 3] RGB. False when there is no point in going on."""
        track, frame = self.track, len(self.track.points)
        small = cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_AREA)
        track.small.append(np.asarray(small, np.uint8))
        face = self._reader.follow(picture, self._face) if self._face is not None else None
        if face is None:
            face = self._search(picture, frame, everywhere=self.track.missed == 0)
        elif frame % LOOK_AROUND == 0:
            self._look_around(picture, face, frame)
        track.points.append(None if face is None else face.points)
        self._face = face
        if face is not None:
            self._look_closely(picture, face, frame)
        return track.missed < GIVE_UP

    def _search(self, picture: Image, frame: int, everywhere: bool) -> Face | None:
        """everywhere: for tiny faces too, so as to say "too small"; it takes half a second."""
        tiny = 0.0 if everywhere else max(picture.shape) / 8
        found = self._reader.faces(picture, tiny)
        if not found:
            return None
        # The same one as before it was lost, where there are several.
        before = next((p for p in reversed(self.track.points) if p is not None), None)
        chosen = found[0]
        if before is not None:
            chosen = min(found, key=lambda f: float(np.abs(f.points - before)[:, :2].mean()))
        self._note_others(chosen, found, frame)
        return chosen

    def _look_around(self, picture: Image, face: Face, frame: int) -> None:
        smallest = max(face.width, face.height) / DOMINANT**0.5
        self._note_others(face, self._reader.faces(picture, smallest), frame)

    def _note_others(self, face: Face, found: list[Face], frame: int) -> None:
        middle = face.points[:, :2].mean(0)
        areas = [
            f.width * f.height
            for f in found
            if np.linalg.norm(f.points[:, :2].mean(0) - middle) > 0.5 * face.width
        ]
        if areas:
            self.track.others[frame] = max(areas) / (face.width * face.height)

    def _look_closely(self, picture: Image, face: Face, frame: int) -> None:
        flat = face.points[:, :2].astype(np.float64)
        if frame % LOOK_CLOSELY == 0 and mouth_covered(picture, flat):
            self.track.covered.append(frame)
        if frame % LOOK_AROUND == 0:
            self.track.sharp.append(sharpness(picture, flat))
            self.track.light.append(float(skin_colour(picture, flat) @ LUMA))
