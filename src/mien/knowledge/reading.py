"""Reads a document of any kind that is understood into chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from mien.knowledge.errors import KnowledgeError, unreadable
from mien.language import Language, detect_language
from mien.retrieval.contract import Chunk

#: Raised when what is made of the same file changes, so that it is read again.
READER = 2
MAX_BYTES = 50_000_000
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of a file. notes: what a person should know about it, (en, zh)."""

    title: str
    chunks: list[Chunk]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file to be read. title, url: what its owner calls it and where it can be read, or ""."""

    path: Path
    data: bytes
    title: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        """What it is called when neither its owner nor itself says."""
        return self.path.stem.replace("_", " ").strip()[:_LONGEST_TITLE] or self.path.name

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read. kind: "md", "pdf" …"""

    title: str
    kind: str
    language: Language
    chunks: list[Chunk]
    notes: tuple[tuple[str, str], ...]


_MODULES = {
    "md": "text_file",
    "txt": "text_file",
    "pdf": "pdf_file",
    "docx": "docx_file",
    "html": "html_file",
    "csv": "csv_file",
}
_KINDS = {
    **{kind: kind for kind in _MODULES},
    **{"markdown": "md", "text": "txt", "htm": "html", "xhtml": "html", "tsv": "csv"},
}
_INSTEAD = {
    "doc": ("Word's old format", "旧版 Word 格式", "docx"),
    "docm": ("a document with macros", "带宏的文档", "docx"),
    "odt": ("an OpenDocument text", "OpenDocument 文档", "docx"),
    "rtf": ("Rich Text", "RTF 文档", "docx"),
    "wps": ("a WPS document", "WPS 文档", "docx"),
    "xls": ("an Excel sheet", "Excel 表格", "csv"),
    "xlsx": ("an Excel sheet", "Excel 表格", "csv"),
    "et": ("a WPS sheet", "WPS 表格", "csv"),
    "ppt": ("slides", "幻灯片", "pdf"),
    "pptx": ("slides", "幻灯片", "pdf"),
    "epub": ("an e-book", "电子书", "pdf"),
}


def kind_of(path: Path) -> str | None:
    """ "md", "txt", "pdf", "docx", "html" or "csv"; None for what is not understood."""
    return _KINDS.get(path.suffix.lower().removeprefix("."))


def not_understood(path: Path) -> KnowledgeError:
    """Why a file of another kind is not read, and what would be."""
    if instead := _INSTEAD.get(path.suffix.lower().removeprefix(".")):
        what, zh, kind = instead
        return KnowledgeError(
            f"{what} is not understood; save it as .{kind}", f"不支持{zh}，请另存为 .{kind}"
        )
    return KnowledgeError(
        f"{path.suffix or 'a file without an ending'} is not understood; "
        "md, txt, pdf, docx, html and csv are",
        f"不支持{path.suffix or '没有扩展名的文件'}；支持 md、txt、pdf、docx、html、csv",
    )


def load(path: Path, title: str = "", url: str = "") -> File:
    """Its bytes. Raises KnowledgeError when it is of another kind, too large or cannot be read."""
    try:
        size = path.stat().st_size
        if kind_of(path) is None:
            raise not_understood(path)
        if size > MAX_BYTES:
            raise KnowledgeError(
                f"{size / 1e6:.0f} MB are too many; at most {MAX_BYTES / 1e6:.0f} MB. Split it.",
                f"文件有 {size / 1e6:.0f} MB，超过 {MAX_BYTES / 1e6:.0f} MB 的上限，请拆分。",
            )
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise KnowledgeError("is not there", "找不到文件") from None
    except OSError as error:
        raise unreadable(error) from None
    return File(path, data, title, url)


def read(file: File) -> Document:
    """What stands in it. Nothing in it is run. Raises KnowledgeError with what is wrong with it."""
    kind = kind_of(file.path)
    if kind is None:
        raise not_understood(file.path)
    if not file.data.strip():
        raise KnowledgeError("is empty", "是空文件")
    module = import_module(f"mien.knowledge.{_MODULES[kind]}")
    reader = cast(Callable[[File], Reading], module.read)
    try:
        reading = reader(file)
    except (KnowledgeError, KeyboardInterrupt):
        raise
    except Exception as error:  # parsers meet damaged files with whatever comes
        why = f"{type(error).__name__}: {error}"[:200]
        raise KnowledgeError(
            f"is damaged, or not what its ending says ({why}); open it and save it again",
            f"文件已损坏，或内容与扩展名不符（{why}）；请打开后重新保存",
        ) from error
    if not reading.chunks:
        raise KnowledgeError("has no text", "没有文字内容")
    language = detect_language(" ".join(chunk.text for chunk in reading.chunks[:200]))
    return Document(reading.title, kind, language, reading.chunks, reading.notes)
