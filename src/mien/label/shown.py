"""Who is seen, for the tags of a recording: name, maker, licence, and the record of consent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mien.avatar.contract import Avatar
from mien.avatar.errors import AvatarError
from mien.avatar.folder import changed_at, read_toml

LONGEST = 300
# "… (NAME, DATE)": the account on the machine on which the avatar was made is nobody's business.
_WHO = re.compile(r"\((?:[^()]*), (\d{4}-\d\d-\d\d)\)\s*$")


@dataclass(frozen=True, slots=True)
class Shown:
    """What avatar.toml says; "" where it says nothing. consent: without who clicked, and on which
    machine: the date leads to the full record, which stays in the avatar's folder."""

    name: str
    title: str = ""
    creator: str = ""
    license: str = ""
    consent: str = ""

    def tags(self) -> dict[str, str]:
        about = {
            "avatar": f"{self.title} ({self.name})" if self.title else self.name,
            "creator": self.creator,
            "license": self.license,
            "consent": self.consent,
        }
        return {f"mien:{name}": text for name, text in about.items() if text}


class Appearances:
    """Everybody who is seen in one file, in the order in which they come. avatar: who is, now."""

    def __init__(self, avatar: Callable[[], Avatar]) -> None:
        self._avatar = avatar
        self._seen: list[Shown] = []

    def look(self) -> bool:
        """Note who is seen now. Returns whether it is somebody new."""
        now = shown(self._avatar())
        if now in self._seen:
            return False
        self._seen.append(now)
        return True

    def tags(self) -> dict[str, str]:
        """Of one, what its avatar.toml says; of several, what each one's says, behind its name."""
        if len(self._seen) == 1:
            return self._seen[0].tags()
        of_all: dict[str, list[str]] = {}
        for one in self._seen:
            for key, text in one.tags().items():
                behind = "" if key == "mien:avatar" else f"{one.name}: "
                of_all.setdefault(key, []).append(behind + text)
        return {key: "; ".join(texts) for key, texts in of_all.items()}


def shown(avatar: Avatar) -> Shown:
    """Of any avatar; reads its avatar.toml once, until it is changed."""
    path = getattr(avatar, "path", None)
    if not isinstance(path, Path):
        return Shown(avatar.name)
    return _read(path, avatar.name, changed_at(path))


@lru_cache(maxsize=64)
def _read(folder: Path, name: str, changed_at: int) -> Shown:
    try:
        data = read_toml(folder)
    except AvatarError:  # deleted meanwhile
        return Shown(name)
    return Shown(
        name,
        _text(data, "title"),
        _text(data, "creator"),
        _text(data, "license"),
        _WHO.sub(r"(\1)", _text(data, "consent")),
    )


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""
