"""Where bases lie and what they may be called."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

from mien.knowledge.errors import KnowledgeError
from mien.mind_settings import KnowledgeSection

ENDING = ".sqlite3"
_NAME = re.compile(r"[\w][\w-]{0,63}")


def folder_of(section: KnowledgeSection) -> Path:
    """The folder with all bases; it may not be there yet."""
    if section.folder is not None:
        return section.folder.expanduser()
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "knowledge"


def base_path(section: KnowledgeSection, name: str) -> Path:
    """The file of a base. Raises KnowledgeError when nothing may have that name."""
    if not _NAME.fullmatch(name):
        raise KnowledgeError(
            f"{name!r} cannot be the name of a base: letters, digits, - and _ (at most 64)",
            f"“{name}”不能作为知识库名称：只能用字母、汉字、数字、- 和 _（最多 64 个）",
        )
    return folder_of(section) / f"{name}{ENDING}"


def base_names(section: KnowledgeSection) -> list[str]:
    """Of the bases that are there, in alphabetical order."""
    found = (path for path in folder_of(section).glob(f"*{ENDING}") if path.is_file())
    return sorted(path.name.removesuffix(ENDING) for path in found)
