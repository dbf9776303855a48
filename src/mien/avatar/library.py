"""Finding avatars by name and loading each folder once."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import platformdirs

from mien.avatar.atlas import DEFAULT_SIZE, AtlasAvatar
from mien.avatar.background import SOFT, Background
from mien.avatar.clip.avatar import ClipAvatar, ClipStyle
from mien.avatar.clip.frames import Progress, forget_frames
from mien.avatar.clip.package import clip_size, read_clip
from mien.avatar.clip.shelf import Shelf
from mien.avatar.errors import AvatarError
from mien.avatar.folder import Folder, changed_at, read_toml
from mien.avatar.package import Package, read_package
from mien.lipsync.wav2lip.features import forget_features

Person = AtlasAvatar | ClipAvatar

BUILT_IN = Path(__file__).parent.parent / "assets" / "presenters"


@dataclass(frozen=True, slots=True)
class AvatarInfo:
    """One line of a list of avatars. why_not: "" when it can be loaded. title_zh: "" where the
    title serves in Chinese as well. kind: "atlas" (drawn from pictures of mouths), "clip" (filmed),
    "" where that cannot be read."""

    name: str
    title: str
    path: Path
    engines: tuple[str, ...]
    license: str
    built_in: bool
    why_not: str = ""
    title_zh: str = ""
    kind: str = ""


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
    style: ClipStyle | None = None,
    on_progress: Progress | None = None,
) -> Person:
    """The avatar of that name (built in, or in ``user_folder()``) or in that folder.

    size: width, height of its pictures; 512×512 unless said otherwise, or a clip's own. style: how
    a clip is shown. Read and scaled once and shared; on_progress: 0…1 while a clip's pictures are
    made ready for a cache. Raises AvatarError when there is none or it is damaged, BackgroundError
    when the background cannot be used, ValueError for an impossible size.
    """
    folder = _find(name_or_path)
    changed = changed_at(folder)
    if _kind(folder, changed) != "clip":
        return _framed(folder, changed, size or DEFAULT_SIZE).with_background(background)
    avatar = _shelf.avatar(folder, changed, size, style or ClipStyle(), on_progress)
    return avatar.with_background(background)


def natural_size(name_or_path: str | Path) -> tuple[int, int] | None:
    """Width, height a clip was filmed in: pictures of this size are its own pixels. None for an
    avatar that is drawn, at any size. Raises AvatarError when there is none."""
    folder = _find(name_or_path)
    data = read_toml(folder)
    return clip_size(Folder(folder, data)) if data.get("kind") == "clip" else None


def pictures_bytes(name_or_path: str | Path, size: tuple[int, int]) -> int:
    """What a cache of a clip's pictures takes, shown as ``size``; 0 for an avatar that is drawn."""
    data = read_toml(_find(name_or_path))
    count = data.get("clip", {}).get("frames", 0)
    return int(count) * size[0] * size[1] * 3


def delete_avatar(folder: Path) -> None:
    """Delete the person in ``folder``, or a link to it, and what is cached. Raises OSError."""
    with contextlib.suppress(AvatarError):  # of a broken one nothing was ever shown
        data = read_toml(folder)
        if data.get("kind") == "clip":
            forget_features(data["name"])
            forget_frames(read_clip(folder))
    if folder.is_symlink():
        folder.unlink()  # what it points to is not ours
    else:
        shutil.rmtree(folder)


@lru_cache(maxsize=4)
def _package(folder: Path, changed: int) -> Package:
    return read_package(folder)


@lru_cache(maxsize=8)
def _framed(folder: Path, changed: int, size: tuple[int, int]) -> AtlasAvatar:
    return AtlasAvatar(_package(folder, changed), size)


@lru_cache(maxsize=64)
def _kind(folder: Path, changed: int) -> str:
    return str(read_toml(folder).get("kind", ""))


_shelf = Shelf()


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
    kind = str(data.get("kind", ""))
    engines = data.get("engines", ["wav2lip" if kind == "clip" else "viseme"])
    return AvatarInfo(
        name=folder.name,
        title=str(data.get("title", data["name"])),
        path=folder,
        engines=tuple(str(e) for e in engines) if isinstance(engines, list) else (),
        license=str(data.get("license", "")),
        built_in=built_in,
        title_zh=str(data.get("title_zh", "")),
        kind=kind,
    )
