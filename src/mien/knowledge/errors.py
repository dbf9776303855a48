"""What goes wrong with documents, in words for people."""

from __future__ import annotations


class KnowledgeError(ValueError):
    """A document or a base cannot be used as it is; says what is wrong and what to do about it,
    in English (``en``, ``str()``) and Chinese (``zh``)."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


def unreadable(error: OSError) -> KnowledgeError:
    """The system does not let a file or a folder be read."""
    why = error.strerror or str(error)
    return KnowledgeError(f"cannot be read: {why}", f"无法读取：{why}")


def library_missing(name: str) -> KnowledgeError:
    """A library that reads a kind of file is not installed."""
    return KnowledgeError(
        f'{name} is not installed: pip install "mien[mind]"',
        f'没有安装 {name}：pip install "mien[mind]"',
    )
