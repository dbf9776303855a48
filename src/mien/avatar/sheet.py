"""A contact sheet: everything an avatar can show, on one picture, for the eye to judge."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mien.avatar.atlas import AtlasAvatar
from mien.avatar.clip.avatar import ClipAvatar
from mien.avatar.clip.sheet import clip_sheet
from mien.avatar.contact import Cell, Strip, section
from mien.avatar.contract import Pose
from mien.avatar.framing import Rect
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

HEADS = {
    "rest": Pose(),
    "yaw -8": Pose(yaw=-8),
    "yaw -4": Pose(yaw=-4),
    "yaw +4": Pose(yaw=4),
    "yaw +8": Pose(yaw=8),
    "pitch -6": Pose(pitch=-6),
    "pitch +6": Pose(pitch=6),
    "roll -6": Pose(roll=-6),
    "roll +6": Pose(roll=6),
    "-8 -6 -6": Pose(yaw=-8, pitch=-6, roll=-6),
    "+8 +6 +6": Pose(yaw=8, pitch=6, roll=6),
    "+8 -6 -6": Pose(yaw=8, pitch=-6, roll=-6),
    "breath": Pose(breath=1),
    "sway": Pose(sway_x=4, sway_y=2),
    "smile": Pose(smile=1),
    "smile, brows": Pose(smile=0.6, brow=0.7, roll=3),
}
EYES = {
    "open": Pose(),
    "blink 0.25": Pose(blink=0.25),
    "blink 0.5": Pose(blink=0.5),
    "blink 0.75": Pose(blink=0.75),
    "closed": Pose(blink=1),
    "gaze right": Pose(gaze_x=1),
    "gaze left": Pose(gaze_x=-1),
    "gaze up": Pose(gaze_y=1),
    "gaze down": Pose(gaze_y=-1),
    "up right 0.5": Pose(gaze_x=0.5, gaze_y=0.5),
    "right, half shut": Pose(gaze_x=1, blink=0.4),
    "brows +1": Pose(brow=1),
    "brows +0.5": Pose(brow=0.5),
    "brows -1": Pose(brow=-1),
    "brows +1, up": Pose(brow=1, gaze_y=1),
    "brows -1, shut": Pose(brow=-1, blink=1),
}
# A made-up word of hard passages, when no voice is at hand.
WORD = "sil PP a PP a SS e FF o U I TH a CH i sil".split()
VOWELS = {
    "sil": MouthShape(),
    "a": MouthShape(0.8, 0),
    "e": MouthShape(0.5, -0.6),
    "i": MouthShape(0.2, -1),
    "I": MouthShape(0.2, -1),
    "o": MouthShape(0.5, 0.7),
    "U": MouthShape(0.2, 1),
}


def contact_sheet(avatar: AtlasAvatar | ClipAvatar, spoken: Sequence[Strip] = ()) -> Image:
    """uint8[H, W, 3] RGB: heads whole, eyes and mouths as crops, and speech; of a clip what
    ``clip_sheet`` says.

    spoken: really said sentences; without them a made-up word shows the in-betweens.
    """
    if isinstance(avatar, ClipAvatar):
        return clip_sheet(avatar, spoken)
    parts = [
        section(
            f"{avatar.title}: head and body, degrees of yaw, pitch, roll",
            [(name, avatar.compose(0, None, pose)) for name, pose in HEADS.items()],
        )
    ]
    eyes = eyes_place(avatar)
    if eyes is not None:
        looks = [(name, avatar.compose(0, None, pose)) for name, pose in EYES.items()]
        parts.append(section("eyes", [(name, crop(image, eyes)) for name, image in looks]))
    at = mouth_place(avatar)
    for smile in (0, 1):
        shapes = mouth_shapes(avatar, smile)
        mouths = [
            (name, crop(avatar.compose(0, Mouth(shape), Pose(smile=smile)), at))
            for name, shape in shapes.items()
        ]
        if mouths:
            smiling = "smiling, " if smile else ""
            parts.append(section(f"mouths, {smiling}openness and rounding", mouths))
    if not spoken:
        parts.append(section("a made-up word, three pictures a sound", made_up_word(avatar)))
    for strip in spoken:
        cells = [(label, crop(image, at)) for label, image in strip.pictures]
        parts.append(section(strip.title, cells))
    return np.vstack(parts)


def mouth_shapes(avatar: AtlasAvatar, smile: int = 0) -> dict[str, MouthShape]:
    """Every mouth the avatar has a picture of, named."""
    shapes = {}
    for place in avatar.package.mouth.places:
        if place.smile != smile:
            continue
        if place.consonant:
            shapes[place.consonant] = MouthShape(consonant=place.consonant, grip=1)
        else:
            name = f"{place.openness:.2f} {place.rounding:+.1f}"
            shapes[name] = MouthShape(place.openness, place.rounding)
    return shapes


def made_up_word(avatar: AtlasAvatar) -> list[Cell]:
    """Mouth crops of ``WORD``, three pictures from each sound to the next."""
    at, cells = mouth_place(avatar), []
    shapes = [(name, VOWELS.get(name, MouthShape(0.15, 0, name, 1))) for name in WORD]
    for (before, a), (after, b) in itertools.pairwise(shapes):
        for t in (0.25, 0.5, 0.75):
            image = avatar.compose(0, Mouth(between(a, b, t)), Pose())
            cells.append((f"{before} {after} {t}", crop(image, at)))
    return cells


def between(a: MouthShape, b: MouthShape, t: float) -> MouthShape:
    """The mouth at ``t`` of 0…1 from one to the other; a consonant is let go before the next."""
    consonant, grip = (a.consonant, a.grip * (1 - t)) if t < 0.5 else (b.consonant, b.grip * t)
    return MouthShape(
        a.openness + (b.openness - a.openness) * t,
        a.rounding + (b.rounding - a.rounding) * t,
        consonant,
        grip,
    )


def mouth_place(avatar: AtlasAvatar) -> Rect:
    """Mouth and chin, and room for the head to move; pixels of the picture."""
    place = avatar.stage.mouth_place
    return place.grown(place.height // 8).within(Rect(0, 0, *avatar.size))


def eyes_place(avatar: AtlasAvatar) -> Rect | None:
    """Eyes and brows; pixels of the picture."""
    if avatar.package.eyes is None:
        return None
    place = avatar.stage.view.rect(avatar.package.eyes.box)
    return place.grown(place.height // 10).within(Rect(0, 0, *avatar.size))


def crop(image: Image, place: Rect) -> Image:
    return image[place.slices]
