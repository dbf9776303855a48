"""Who a session shows and before what, by name; and how a name becomes somebody drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mien.avatar.background import SOFT, Background, BackgroundError
from mien.avatar.errors import AvatarError
from mien.avatar.library import AvatarInfo, avatar_info, list_avatars, user_folder
from mien.models.errors import ModelError
from mien.mouths import MouthError
from mien.problems import Problem
from mien.server.backgrounds import Backgrounds
from mien.server.moments import preview
from mien.services import AVATARS, Player, Services

Text = dict[str, str]


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
        self._titles: dict[str, Text] = {}
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

    def title(self, name: str) -> Text:
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
                "own_background": avatar.kind == "clip",
                "ready": (why_not := self.why_not(avatar)) is None,
                "why_not": why_not,
                "preview": f"/api/v1/avatars/{quote(avatar.name)}/preview.png"
                f"?v={_version(avatar.path)}",
            }
            for avatar in self.avatars()
        ]

    def why_not(self, avatar: AvatarInfo) -> str | Text | None:
        """Why the avatar cannot be shown, and what to do; None when it can."""
        if avatar.why_not:
            # Where it lies on the server is nobody's business.
            return avatar.why_not.replace(f"{avatar.path}/", "")
        missing = self._services.mouths.why_not(avatar.engines)
        return None if missing is None else {"en": missing.en, "zh": missing.zh}

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
            Problem: 404 for an unknown name, 409 for what is there but broken or not ready.
        """
        if look == self.default:
            return self._services.avatar, self._services.lipsync
        background = self.backgrounds.find(look.background, look.blur)
        avatar = self.avatar(look.avatar)
        if avatar.kind == "clip":
            background = SOFT  # it keeps its own; the chosen one waits for the next face
        try:
            return self._services.player(str(avatar.path), background)
        except ModelError as error:
            raise Problem("not_ready", error.en, error.zh, status=409) from error
        except (AvatarError, BackgroundError, MouthError) as error:
            raise _broken(error, avatar.path) from error

    def preview(self, name: str) -> bytes:
        """A small PNG of the avatar at rest. Raises Problem as ``dress`` does."""
        folder = self.avatar(name).path
        try:
            return preview(folder, _version(folder))
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


def _broken(error: ValueError, folder: Path) -> Problem:
    # Where it lies on the server is nobody's business.
    reason = str(error).replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    return Problem(
        "broken_look", f"This cannot be shown: {reason}", f"无法显示：{reason}", status=409
    )
