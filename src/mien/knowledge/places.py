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


def is_there(path: Path) -> bool:
    """Whether there is such a file. Raises KnowledgeError when that cannot be seen."""
    try:
        return path.is_file()
    except OSError as error:
        why = error.strerror or str(error)
        raise KnowledgeError(
            f"the folder {path.parent} cannot be looked into: {why}",
            f"无法查看文件夹 {path.parent}：{why}",
        ) from None


def base_names(section: KnowledgeSection) -> list[str]:
    """Of the bases that are there, in alphabetical order. What cannot be the name of one, as
    "default.backup" or what hides, is no base.
    """
    found = (path for path in folder_of(section).glob(f"*{ENDING}") if is_there(path))
    return sorted(name for path in found if _NAME.fullmatch(name := path.name.removesuffix(ENDING)))
