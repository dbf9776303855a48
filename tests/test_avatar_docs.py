"""The avatar that docs/avatars.md tells people to make works when made as told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import cv2
import numpy as np

import clip_folder
from mien.avatar.clip.avatar import ClipAvatar
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

PAGE = (Path(__file__).parent.parent / "docs" / "avatars.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def doodle(mouth: int) -> Image:
    """A face of 512×512 whose mouth is ``mouth`` pixels high."""
    image = np.full((512, 512, 3), 235, np.uint8)
    cv2.ellipse(image, (256, 240), (120, 150), 0, 0, 360, (150, 180, 230), -1)
    cv2.ellipse(image, (256, 320), (40, mouth), 0, 0, 360, (40, 30, 120), -1)
    return image


def test_the_smallest_avatar_speaks(tmp_path: Path) -> None:
    folder = tmp_path / "doodle"
    folder.mkdir()
    text = BLOCKS[0]
    (folder / "avatar.toml").write_text(text, encoding="utf-8")
    left, top, width, height = tomllib.loads(text)["mouth"]["box"]
    box = np.s_[top : top + height, left : left + width]
    cv2.imwrite(str(folder / "closed.png"), doodle(4))
    cv2.imwrite(str(folder / "mouth_closed.png"), doodle(4)[box])
    cv2.imwrite(str(folder / "mouth_open.png"), doodle(26)[box])

    avatar = load_avatar(folder)
    rest = avatar.compose(0, None, Pose())
    wide = avatar.compose(0, Mouth(MouthShape(1.0, 0.0)), Pose())
    for shown, mouth in ((rest, 4), (wide, 26)):
        change = np.abs(shown.astype(int) - doodle(mouth)[..., ::-1]).max(-1)
        assert np.median(change) == 0 and (change > 8).mean() < 0.01  # edges are made crisp
    turned = avatar.compose(0, None, Pose(yaw=6))
    assert np.abs(turned.astype(int) - rest).mean() > 0.5


def test_a_clip_made_as_told_runs(tmp_path: Path) -> None:
    """The example of a clip, cut down to few small pictures."""
    folder = clip_folder.write_clip(tmp_path / "filmed", count=8)
    text = (
        BLOCKS[2]
        .replace("[1280, 720]", "[480, 360]")
        .replace("[292, 0, 696, 696]", "[110, 0, 290, 290]")
    )
    text = text.replace("frames = 250", "frames = 8").replace("[0, 75]", "[0, 5]")
    (folder / "avatar.toml").write_text(text, encoding="utf-8")
    avatar = load_avatar(folder)
    assert isinstance(avatar, ClipAvatar) and avatar.package.idle == (0, 5)
    quiet = clip_folder.picture(3).astype(int)
    shown = avatar.compose(0, clip_folder.painted(3, 1.0), Pose(frame=3))
    assert np.abs(avatar.compose(0, None, Pose(frame=3)) - quiet).mean() < 1
    assert (quiet - shown).max() > 80
    about = tomllib.loads(BLOCKS[2])
    source = (Path(__file__).parent.parent / "src/mien/avatar/clip/package.py").read_text("utf-8")
    keys = {*about, *about["clip"]} - {"format", "creator", "consent", "name"}
    assert {key for key in keys if f'"{key}"' not in source} == set()


def test_the_full_example_names_what_there_is() -> None:
    """Every key of the big example is one that the reader knows, and has a possible value."""
    data = tomllib.loads(BLOCKS[1])
    assert data["format"] == tomllib.loads(BLOCKS[0])["format"] == 2
    source = "".join(
        file.read_text(encoding="utf-8")
        for file in (Path(__file__).parent.parent / "src/mien/avatar").glob("*.py")
    )
    tables = [data, data["background"], data["head"], data["mouth"], data["eyes"]]
    tables += [*data["layers"], *data["mouth"]["shapes"], *data["eyes"]["shapes"]]
    unread = {"creator", "consent"}  # for people
    for key in {key for table in tables for key in table} - unread:
        assert f'"{key}"' in source, key
