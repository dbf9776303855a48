"""Finding avatars by name and loading each folder once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import platformdirs

from mien.avatar.atlas import DEFAULT_SIZE, AtlasAvatar
from mien.avatar.background import SOFT, Background
from mien.avatar.errors import AvatarError
from mien.avatar.folder import read_toml
from mien.avatar.package import Package, read_package

BUILT_IN = Path(__file__).parent.parent / "assets" / "presenters"


@dataclass(frozen=True, slots=True)
class AvatarInfo:
    """One line of a list of avatars. why_not: "" when it can be loaded. title_zh: "" where the
    title serves in Chinese as well."""

    name: str
    title: str
    path: Path
    engines: tuple[str, ...]
    license: str
    built_in: bool
    why_not: str = ""
    title_zh: str = ""


def user_folder() -> Path:
    """Where the user's own avatars lie, one folder each."""
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "avatars"


def list_avatars() -> list[AvatarInfo]:
    """The built-in presenters and the user's avatars, by name. A broken one says why."""
    found = []
    for root in (BUILT_IN, user_folder()):
        if root.is_dir():
            folders = [f for f in sorted(root.iterdir()) if (f / "avatar.toml").is_file()]
            found += [avatar_info(f, built_in=root == BUILT_IN) for f in folders]
    return found


def load_avatar(
    name_or_path: str | Path,
    size: tuple[int, int] | None = None,
    background: Background = SOFT,
) -> AtlasAvatar:
    """The avatar of that name (built in, or in ``user_folder()``) or in that folder.

    size: width, height of its pictures, 512×512 unless said otherwise. Read and scaled once and
    shared. Raises AvatarError when there is none or it is damaged, BackgroundError when the
    background cannot be used, ValueError for an impossible size.
    """
    folder = _find(name_or_path)
    try:
        changed = (folder / "avatar.toml").stat().st_mtime_ns
    except OSError:
        changed = 0
    return _framed(folder, changed, size or DEFAULT_SIZE).with_background(background)


@lru_cache(maxsize=4)
def _package(folder: Path, changed: int) -> Package:
    return read_package(folder)


@lru_cache(maxsize=8)
def _framed(folder: Path, changed: int, size: tuple[int, int]) -> AtlasAvatar:
    return AtlasAvatar(_package(folder, changed), size)


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text:
        folder = Path(name_or_path).expanduser().resolve()
        if not folder.is_dir():
            raise AvatarError(f"there is no folder {folder}")
        return folder
    if text not in ("", ".", ".."):
        for root in (user_folder(), BUILT_IN):
            if (root / text / "avatar.toml").is_file():
                return (root / text).resolve()
    known = ", ".join(sorted({info.name for info in list_avatars()})) or "none"
    raise AvatarError(f"there is no avatar {text!r}; known: {known}")


def avatar_info(folder: Path, *, built_in: bool = False) -> AvatarInfo:
    """What the folder's avatar.toml says."""
    try:
        data = read_toml(folder)
    except AvatarError as error:
        return AvatarInfo(folder.name, folder.name, folder, (), "", built_in, str(error))
    engines = data.get("engines", ["viseme"])
    return AvatarInfo(
        name=folder.name,
        title=str(data.get("title", data["name"])),
        path=folder,
        engines=tuple(str(e) for e in engines) if isinstance(engines, list) else (),
        license=str(data.get("license", "")),
        built_in=built_in,
        title_zh=str(data.get("title_zh", "")),
    )
