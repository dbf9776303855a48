"""What goes wrong with documents, in words for people."""

from __future__ import annotations


class KnowledgeError(ValueError):
    """A document or a base cannot be used as it is; says what is wrong and what to do about it,
    in English (``en``, ``str()``) and Chinese (``zh``)."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


def library_missing(name: str) -> KnowledgeError:
    """A library that reads a kind of file is not installed."""
    return KnowledgeError(
        f'{name} is not installed: pip install "mien[mind]"',
        f'没有安装 {name}：pip install "mien[mind]"',
    )
