"""What an avatar looks like, in pictures small enough for a page."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from mien.avatar.background import SOFT
from mien.avatar.contract import Avatar, Pose
from mien.avatar.library import load_avatar
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

PREVIEW_SIZE = (192, 192)
MOMENT_SIZE = (256, 256)


@lru_cache(maxsize=64)
def preview(folder: Path, changed: int) -> bytes:
    """A PNG of the avatar at rest. changed: anything that changes when the avatar does.

    Raises AvatarError.
    """
    picture = load_avatar(folder, PREVIEW_SIZE, SOFT).compose(0, None, Pose())
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def moments(folder: Path) -> bytes:
    """A JPEG of four pictures. Raises AvatarError.

    Of a drawn avatar: at rest, with its mouth open and round, and with its eyes shut. Of a clip,
    whose mouths need sound: from its beginning to its end.
    """
    avatar = load_avatar(folder, MOMENT_SIZE, SOFT)
    frames = _frames(folder)
    pictures = _drawn(avatar) if frames is None else _filmed(avatar, frames)
    square = np.vstack([np.hstack(pictures[:2]), np.hstack(pictures[2:])])
    bgr = cv2.cvtColor(square, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _drawn(avatar: Avatar) -> list[Image]:
    shown = (
        (None, Pose()),
        (Mouth(MouthShape(openness=0.7)), Pose()),
        (Mouth(MouthShape(openness=0.3, rounding=0.9)), Pose()),
        (None, Pose(blink=1.0)),
    )
    return [avatar.compose(0, mouth, pose) for mouth, pose in shown]


def _filmed(avatar: Avatar, frames: int) -> list[Image]:
    return [avatar.compose(0, None, Pose(frame=(frames - 1) * i // 3)) for i in range(4)]


def _frames(folder: Path) -> int | None:
    """How many pictures a clip has; None for a drawn avatar."""
    data = tomllib.loads((folder / "avatar.toml").read_text(encoding="utf-8"))
    return int(data["clip"]["frames"]) if data.get("kind") == "clip" else None
