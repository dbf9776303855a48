"""The avatar that docs/avatars.md tells people to make works when made as told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import cv2
import numpy as np

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
