"""A contact sheet: everything an avatar can show, on one picture, for the eye to judge."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from mien.avatar.atlas import AtlasAvatar
from mien.avatar.contract import Pose
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

POSES = {
    "yaw -4": Pose(yaw=-4),
    "yaw +4": Pose(yaw=4),
    "pitch -4": Pose(pitch=-4),
    "pitch +4": Pose(pitch=4),
    "roll +4": Pose(roll=4),
    "all": Pose(yaw=3, pitch=2, roll=-3, sway_x=3, breath=1),
}
EYES = {
    "half": Pose(blink=0.5),
    "closed": Pose(blink=1),
    "right": Pose(gaze_x=1),
    "left": Pose(gaze_x=-1),
    "up": Pose(gaze_y=1),
    "down": Pose(gaze_y=-1),
    "brow +1": Pose(brow=1),
    "brow -1": Pose(brow=-1),
    "smile": Pose(smile=1),
}
TALK = "sil PP a PP a SS e FF o U I TH a CH i sil".split()


def mouth_shapes(avatar: AtlasAvatar) -> dict[str, MouthShape]:
    """Every mouth the avatar has a picture of, named."""
    shapes = {}
    for place in avatar.package.mouth.places:
        if place.smile:
            continue
        if place.consonant:
            shapes[place.consonant] = MouthShape(consonant=place.consonant, grip=1)
        else:
            name = f"{place.openness:.1f} {place.rounding:+.1f}"
            shapes[name] = MouthShape(place.openness, place.rounding)
    return shapes


def contact_sheet(avatar: AtlasAvatar, columns: int = 10) -> Image:
    """uint8[H, W, 3] RGB: rest, poses and eyes whole; every mouth as a crop; a talking strip."""
    whole = {"rest": Pose(), **POSES, **EYES}
    figures = [_cell(avatar.compose(0, None, p), name, 160) for name, p in whole.items()]
    mouths = [
        _cell(mouth_crop(avatar, Mouth(shape)), name, 160)
        for name, shape in mouth_shapes(avatar).items()
    ]
    return np.vstack([_rows(figures, columns), _rows(mouths, columns), talking_strip(avatar)])


def talking_strip(avatar: AtlasAvatar, columns: int = 10) -> Image:
    """Mouth crops of a made-up word, three pictures per sound: the in-betweens show here."""
    vowels = {
        "sil": MouthShape(),
        "a": MouthShape(0.8, 0),
        "e": MouthShape(0.5, -0.6),
        "i": MouthShape(0.2, -1),
        "I": MouthShape(0.2, -1),
        "o": MouthShape(0.5, 0.7),
        "U": MouthShape(0.2, 1),
    }
    cells = []
    shapes = [vowels.get(s, MouthShape(0.15, 0, s, 1)) for s in TALK]
    for before, after in itertools.pairwise(shapes):
        for t in (0.25, 0.5, 0.75):
            cells.append(_cell(mouth_crop(avatar, Mouth(between(before, after, t))), "", 160))
    return _rows(cells, columns)


def between(a: MouthShape, b: MouthShape, t: float) -> MouthShape:
    """A shape on the way from a to b; the stronger consonant is the one that shows."""
    grip_a, grip_b = a.grip * (1 - t), b.grip * t
    consonant, grip = (a.consonant, grip_a) if grip_a >= grip_b else (b.consonant, grip_b)
    return MouthShape(
        a.openness + (b.openness - a.openness) * t,
        a.rounding + (b.rounding - a.rounding) * t,
        consonant,
        grip,
    )


def mouth_crop(avatar: AtlasAvatar, mouth: Mouth, pose: Pose | None = None) -> Image:
    """The middle of the mouth box, square."""
    left, top, width, height = avatar.stage.mouth_place
    side = min(width, height)
    left += (width - side) // 2
    image = avatar.compose(0, mouth, pose or Pose())
    return image[top : top + side, left : left + side]


def _cell(image: Image, name: str, side: int) -> Image:
    scale = side / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cell = np.full((side, side, 3), 255, np.uint8)
    cell[: small.shape[0], : small.shape[1]] = small
    cv2.putText(cell, name, (4, side - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (20, 20, 20), 1)
    return cell


def _rows(cells: list[Image], columns: int) -> Image:
    blank = np.full_like(cells[0], 255)
    cells = cells + [blank] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])
