"""What the columns of a sheet mean: which row names them, and which are questions and answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_QUESTION = frozenset(
    "question questions q query 问题 问 提问 标准问 标准问题 常见问题 用户问题".split()
)
_ANSWER = frozenset(
    "answer answers a reply response 答案 回答 答 回复 答复 标准答案 标准回答".split()
)
_ALIKE = re.compile(r"相似|同义|变体|类似|alternative|similar|variant|synonym", re.IGNORECASE)
_THEME = frozenset("category topic section theme 类别 分类 类目 主题 栏目 模块".split())
_LINK = frozenset("url link source 链接 网址 来源 出处".split())
_NUMBER = re.compile(r"[-+¥$€￥]?\s*[\d.,:/%-]+\s*\S{0,3}$")
_LONGEST_NAME = 40
_MOSTLY = 0.6


@dataclass(frozen=True, slots=True)
class Columns:
    """Numbers of columns from 0. alike: other ways to ask."""

    question: int
    answer: int
    alike: tuple[int, ...] = ()
    themes: tuple[int, ...] = ()
    links: tuple[int, ...] = ()

    @property
    def used(self) -> frozenset[int]:
        return frozenset((self.question, self.answer, *self.alike, *self.themes, *self.links))


def header_of(rows: Sequence[Sequence[str]]) -> tuple[list[str], Sequence[Sequence[str]]]:
    """The names of the columns, [] if nothing names them, and the rows that are left."""
    first = list(rows[0])
    while first and not first[-1]:
        first.pop()
    named = (
        len(rows) > 1
        and all(0 < len(cell) <= _LONGEST_NAME and not _NUMBER.match(cell) for cell in first)
        and len(set(first)) == len(first)
        and not any(cell.endswith(("?", "？", "。", ".")) for cell in first)
    )
    return (
        (first, rows[1:]) if named and (len(first) > 1 or _is(first[0], _QUESTION)) else ([], rows)
    )


def columns_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Columns | None:
    """None for a sheet that has no questions with answers."""
    question = next((at for at, name in enumerate(header) if _is(name, _QUESTION)), None)
    answer = next((at for at, name in enumerate(header) if _is(name, _ANSWER)), None)
    if question is not None and answer is not None:
        numbered = list(enumerate(header))
        return Columns(
            question,
            answer,
            tuple(at for at, name in numbered if _ALIKE.search(name)),
            tuple(at for at, name in numbered if _is(name, _THEME)),
            tuple(at for at, name in numbered if _is(name, _LINK)),
        )
    asked = [row for row in rows if len(row) >= 2 and row[0].endswith(("?", "？")) and row[1]]
    if not header and rows and len(asked) >= _MOSTLY * len(rows) and max(map(len, rows)) == 2:
        return Columns(0, 1)
    return None


def _is(name: str, names: frozenset[str]) -> bool:
    return re.sub(r"[\s\d_:：()（）]+", "", name).lower() in names
