"""Who a session shows and before what, by name; and how a name becomes somebody drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from mien.avatar.background import SOFT, Background, BackgroundError
from mien.avatar.contract import Pose
from mien.avatar.errors import AvatarError
from mien.avatar.library import AvatarInfo, avatar_info, list_avatars, load_avatar, user_folder
from mien.lipsync.contract import Mouth, MouthShape
from mien.problems import Problem
from mien.server.backgrounds import Backgrounds
from mien.services import AVATARS, Player, Services

PREVIEW_SIZE = (192, 192)
MOMENT_SIZE = (256, 256)


@dataclass(frozen=True, slots=True)
class Look:
    """avatar, background: names as the API lists them. blur: of a background picture, 0…1."""

    avatar: str
    background: str
    blur: float


class Wardrobe:
    """The avatars and backgrounds of a server. Its methods read files: not for the event loop."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        configured = Background.parse(settings.background, settings.background_blur)
        self.backgrounds = Backgrounds(configured)
        self.default = Look(services.avatar.name, self.backgrounds.default, configured.blur)
        self._services = services
        self._configured = settings.avatar
        self._titles: dict[str, dict[str, str]] = {}
        self.avatars()

    def avatars(self) -> list[AvatarInfo]:
        """Those of the library, and the configured one where it lies elsewhere."""
        # A visitor's own avatar stands before a built-in one of the same name.
        found = {avatar.name: avatar for avatar in list_avatars()}
        name = self.default.avatar
        if name not in AVATARS and name not in found:
            folder = Path(self._configured).expanduser().resolve()
            found[name] = replace(avatar_info(folder), name=name)
        self._titles = {
            avatar.name: {"en": avatar.title, "zh": avatar.title_zh or avatar.title}
            for avatar in found.values()
        }
        return list(found.values())

    def title(self, name: str) -> dict[str, str]:
        """What people call the avatar in both languages, as last read; at no cost."""
        return self._titles.get(name, {"en": name.capitalize(), "zh": name.capitalize()})

    def listed(self) -> list[dict[str, Any]]:
        """The avatars as the API lists them; ``why_not`` says what is wrong with one."""
        return [
            {
                "name": avatar.name,
                "label": self.title(avatar.name),
                "kind": "/".join(avatar.engines),
                "own": is_own(avatar),
                "ready": not avatar.why_not,
                # Where it lies on the server is nobody's business.
                "why_not": avatar.why_not.replace(f"{avatar.path}/", "") or None,
                "preview": f"/api/v1/avatars/{quote(avatar.name)}/preview.png"
                f"?v={_version(avatar.path)}",
            }
            for avatar in self.avatars()
        ]

    def avatar(self, name: str) -> AvatarInfo:
        """Raises Problem 404, naming the avatars there are."""
        avatars = self.avatars()
        for avatar in avatars:
            if avatar.name == name:
                return avatar
        known = ", ".join(avatar.name for avatar in avatars)
        raise Problem(
            "no_such_avatar",
            f"There is no avatar {name!r}. There are: {known}.",
            f"没有名为 {name!r} 的形象。现有：{known}。",
            status=404,
        )

    def dress(self, look: Look) -> Player:
        """Load the avatar and lay the background. Takes up to a second for a new avatar.

        Raises:
            Problem: 404 for an unknown name, 409 for what is there but broken.
        """
        if look == self.default:
            return self._services.avatar, self._services.lipsync
        background = self.backgrounds.find(look.background, look.blur)
        folder = self.avatar(look.avatar).path
        try:
            return self._services.player(str(folder), background)
        except (AvatarError, BackgroundError) as error:
            raise _broken(error, folder) from error

    def preview(self, name: str) -> bytes:
        """A small PNG of the avatar at rest. Raises Problem as ``dress`` does."""
        folder = self.avatar(name).path
        try:
            return _preview(folder, _version(folder))
        except AvatarError as error:
            raise _broken(error, folder) from error


def is_own(avatar: AvatarInfo) -> bool:
    """Whether it lies among the user's avatars, where the page may delete it."""
    return avatar.path.parent == user_folder()


def _version(folder: Path) -> int:
    """Changes whenever the avatar in ``folder`` does."""
    try:
        return (folder / "avatar.toml").stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _preview(folder: Path, changed: int) -> bytes:
    picture = load_avatar(folder, PREVIEW_SIZE, SOFT).compose(0, None, Pose())
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def moments(folder: Path) -> bytes:
    """A JPEG of the avatar at rest, with its mouth open and round, and with its eyes shut."""
    avatar = load_avatar(folder, MOMENT_SIZE, SOFT)
    shown = (
        (None, Pose()),
        (Mouth(MouthShape(openness=0.7)), Pose()),
        (Mouth(MouthShape(openness=0.3, rounding=0.9)), Pose()),
        (None, Pose(blink=1.0)),
    )
    pictures = [avatar.compose(0, mouth, pose) for mouth, pose in shown]
    square = np.vstack([np.hstack(pictures[:2]), np.hstack(pictures[2:])])
    bgr = cv2.cvtColor(square, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _broken(error: ValueError, folder: Path) -> Problem:
    # Where it lies on the server is nobody's business.
    reason = str(error).replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    return Problem(
        "broken_look", f"This cannot be shown: {reason}", f"无法显示：{reason}", status=409
    )
