"""Who is seen, for the tags of a recording: name, maker, licence, and the record of consent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mien.avatar.contract import Avatar
from mien.avatar.errors import AvatarError
from mien.avatar.folder import read_toml

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


def shown(avatar: Avatar) -> Shown:
    """Of any avatar; reads its avatar.toml once."""
    path = getattr(avatar, "path", None)
    return _read(path, avatar.name) if isinstance(path, Path) else Shown(avatar.name)


@lru_cache(maxsize=64)
def _read(folder: Path, name: str) -> Shown:
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
