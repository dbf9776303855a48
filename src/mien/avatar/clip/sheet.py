"""A contact sheet of a clip: whether its faces were followed well, and whether a paste is seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mien.avatar.clip.avatar import ClipAvatar
from mien.avatar.clip.package import cropped
from mien.avatar.clip.paste import paste_published, spot_of
from mien.avatar.clip.points import JAW, LIPS, NOSE_BASE
from mien.avatar.contact import COLUMNS, Cell, Strip, section
from mien.avatar.contract import Pose
from mien.avatar.framing import Rect
from mien.lipsync.contract import Mouth
from mien.media.tick import Image

SHOWN = 2 * COLUMNS  # pictures of the clip
BOX, MASK, POINT = (255, 80, 60), (60, 220, 90), (255, 230, 60)
# The test mouth: as small as networks paint it, and off in colour by as much as they are at worst.
PATCH_SIDE = 96
TINT = (1.10, 1.0, 0.92)
SOFTENED = 0.8  # pixels


def clip_sheet(avatar: ClipAvatar, spoken: Sequence[Strip] = ()) -> Image:
    """uint8[H, W, 3] RGB: the clip from its first to its last picture, whole and as close-ups with
    box, mask and landmarks; then the mouth of another picture, tinted and blurred, pasted as the
    original code would and as this avatar does; then ``spoken``."""
    count = len(avatar.package)
    frames = [round(i) for i in np.linspace(0, count - 1, min(SHOWN, count))]
    filmed = [(_label(avatar, f), avatar.compose(0, None, Pose(frame=f))) for f in frames]
    parts = [
        section(f"{avatar.title}: {count} pictures, {avatar.package.loop}", filmed),
        section(
            "red: the face engines see, green: where a mouth is pasted",
            [(_label(avatar, f), _drawn(avatar, f)) for f in frames],
        ),
    ]
    pasted: list[Cell] = []
    for frame in frames[::2]:
        mouth = trial_mouth(avatar, (frame + count // 2) % count)
        hard, soft = _hard(avatar, frame, mouth), avatar.compose(0, mouth, Pose(frame=frame))
        pasted.append((f"{frame}, hard", _close_up(avatar, frame, hard)))
        pasted.append((f"{frame}, as shown", _close_up(avatar, frame, soft)))
    parts.append(section("a mouth of another picture, tinted, blurred, 96 pixels wide", pasted))
    for strip in spoken:
        parts.append(section(strip.title, strip.pictures))
    return np.vstack(parts)


def trial_mouth(avatar: ClipAvatar, frame: int) -> Mouth:
    """The lower face of ``frame`` as a network of no great quality would paint it."""
    face = cropped(avatar.reel.frames[frame], avatar.reel.boxes[frame], PATCH_SIDE)
    soft = cv2.GaussianBlur(face, (0, 0), SOFTENED).astype(np.float32) * TINT
    lower = np.clip(soft, 0, 255).astype(np.uint8)[PATCH_SIDE // 2 :]
    return Mouth(patch=lower, place=(0.0, 0.5, 1.0, 0.5))


def _hard(avatar: ClipAvatar, frame: int, mouth: Mouth) -> Image:
    picture = avatar.reel.frames[frame].copy()
    assert mouth.patch is not None
    paste_published(picture, mouth.patch, avatar.reel.boxes[frame], mouth.place)
    return picture


def _label(avatar: ClipAvatar, frame: int) -> str:
    idle = avatar.package.idle
    return f"{frame}, idle" if idle and idle[0] <= frame < idle[1] else str(frame)


def _close_up(avatar: ClipAvatar, frame: int, picture: Image) -> Image:
    """The face with some room, of one size for all frames."""
    sides = (avatar.reel.boxes[:, 2:] - avatar.reel.boxes[:, :2]).max(0)
    left, top, right, bottom = avatar.reel.boxes[frame]
    width = min(avatar.size[0], round(1.3 * float(sides[0])))
    height = min(avatar.size[1], round(1.3 * float(sides[1])))
    x = round(float(left + right) / 2 - width / 2)
    y = round(float(top + bottom) / 2 - height / 2)
    x, y = min(max(0, x), avatar.size[0] - width), min(max(0, y), avatar.size[1] - height)
    return picture[Rect(x, y, width, height).slices]


def _drawn(avatar: ClipAvatar, frame: int) -> Image:
    """A close-up with what the avatar knows about the face drawn over it."""
    picture = avatar.reel.frames[frame].copy()
    spot = spot_of(avatar.reel.boxes[frame])
    thick = max(1, round(spot.width / 150))
    rect = spot.whole
    cv2.rectangle(picture, (rect.left, rect.top), (rect.right, rect.bottom), BOX, thick)
    size = max(1, rect.width), max(1, rect.height)
    mask = cv2.resize(avatar.reel.masks[frame], size, interpolation=cv2.INTER_LINEAR)
    for share in (0.1, 0.9):  # where a mouth begins to show, and from where on all of it does
        shown = np.asarray(mask > 255 * share, np.uint8)
        found, _ = cv2.findContours(shown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, found, -1, MASK, thick, offset=(rect.left, rect.top))
    for number in (*JAW, *LIPS, *NOSE_BASE):
        x, y = (round(float(v)) for v in avatar.reel.landmarks[frame, number])
        cv2.circle(picture, (x, y), thick, POINT, -1)
    return _close_up(avatar, frame, picture)
