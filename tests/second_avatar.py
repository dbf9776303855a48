"""Another face for tests: a built-in presenter in other colours, as a user's own folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np

from mien.avatar.library import BUILT_IN


def data_home(folder: Path) -> dict[str, str]:
    """The environment that keeps a server's user data within ``folder``."""
    return {"XDG_DATA_HOME": str(folder / "data")}


def add_avatar(folder: Path, name: str = "ruby", title: str = "Ruby") -> Path:
    """Put it where a server with ``data_home(folder)`` looks. Red and blue are exchanged."""
    target = folder / "data" / "mien" / "avatars" / name
    shutil.copytree(BUILT_IN / "mei", target)
    about = target / "avatar.toml"
    text = re.sub(r'(?m)^name = "mei"', f'name = "{name}"', about.read_text(), count=1)
    about.write_text(re.sub(r'(?m)^title = ".*"', f'title = "{title}"', text, count=1))
    for path in target.rglob("*.webp"):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        image[..., :3] = image[..., 2::-1]
        cv2.imwrite(str(path), np.ascontiguousarray(image), [cv2.IMWRITE_WEBP_QUALITY, 90])
    return target


def break_avatar(folder: Path) -> None:
    """Lose a picture that the avatar names."""
    for path in folder.rglob("*.webp"):
        path.unlink()
