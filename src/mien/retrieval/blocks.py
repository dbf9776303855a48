"""Reads Markdown, or plain text that uses some of it, as a sequence of blocks.

After CommonMark 0.31 with the tables of GitHub Flavored Markdown, but for what serves searching:
indented code is a paragraph, and numbered Chinese headings ("第一章", "一、") are headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mien.retrieval.asked import MARK, without_comments
from mien.retrieval.headings import heading_at
from mien.retrieval.inline import plain
from mien.retrieval.unwrap import unwrapped

Kind = Literal["heading", "paragraph", "list", "table", "code", "asked"]

_FRONT_MATTER_LINES = 200
_QUOTE = re.compile(r" {0,3}>(?: {0,4}>){0,20} ?")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_NUMERAL = "[0-9]{1,3}|[一二三四五六七八九十]{1,3}"
_ITEM = re.compile(
    r"([ \t\u3000]{0,40})(?:([-*+•●▪·]|[0-9]{1,4}[.)])[ \t]+|"
    rf"((?:{_NUMERAL})、|[（(](?:{_NUMERAL})[）)]|[①-⑳])[ \t]{{0,4}})(?=\S)"
)
_FENCE = re.compile(r"[ \t]{0,12}(`{3,}(?!`)|~{3,}(?!~))([^`]*)$")
_REFERENCE = re.compile(
    r" {0,3}\[[^\[\]^][^\[\]]{0,200}\]:[ \t]*"
    r"(?:<[^<>]{0,2000}>|(?:https?|mailto|ftp):\S|[./#]\S|[\w./-]{1,200}\.(?:md|html?|png|jpe?g|svg)\b)"
)
_DELIMITERS = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?)?$")
_LONGEST_DELIMITERS = 500
_SETTING = re.compile(r"\w[\w .-]{0,60}[:=]")
_INDENT = ("    ", "\t")


@dataclass(frozen=True, slots=True)
class Block:
    """lines: of a paragraph its lines, of a list its items, of a table its rows, the header first;
    all without markup; of "asked", a comment that says how people ask, the phrasings. level: of a
    heading, from 1; one with a higher level stands below.
    """

    kind: Kind
    lines: tuple[str, ...]
    level: int = 0


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text, in order. None is empty. Takes linear time."""
    for block in _Reader(_lines(text)).blocks():
        if any(line.strip() for line in block.lines):
            yield block


def _lines(text: str) -> list[str]:
    text = text.removeprefix("\ufeff").replace("\0", "")
    lines = without_comments(text).splitlines()
    # Of what is quoted, the words count.
    return [_QUOTE.sub("", line, count=1) if ">" in line[:4] else line for line in lines]


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = self._front_matter()
        self._unclosed: dict[str, int] = {}  # fences that are known not to end, by their character

    def blocks(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or _RULE.match(line) or _REFERENCE.match(line):
                self._at += 1
            elif line.startswith(MARK):
                self._at += 1
                yield Block("asked", tuple(line[1:].split(MARK)))
            elif _FENCE.match(line):
                yield self._code()
            elif heading := heading_at(self._lines, self._at):
                self._at += heading.lines
                yield Block("heading", (heading.text,), heading.level)
            elif self._starts_table():
                yield self._table()
            elif _ITEM.match(line):
                yield self._list()
            else:
                yield self._paragraph()

    def _front_matter(self) -> int:
        """Where the text begins: behind the settings that many tools write above it."""
        lines = self._lines
        fence = lines[0].rstrip() if lines else ""
        if fence not in ("---", "+++") or not _SETTING.match("".join(lines[1:2])):
            return 0
        for at, line in enumerate(lines[1:_FRONT_MATTER_LINES], 1):
            if line.rstrip() in (fence, "..."):
                return at + 1
        return 0

    def _code(self) -> Block:
        """What a fence encloses; nothing when it encloses nothing."""
        start = self._at + 1
        fence = self._fence_at(self._at)
        end = None if fence is None else self._closing(fence)
        self._at = start if end is None else end + 1
        lines = () if end is None else self._lines[start:end]
        return Block("code", tuple(line for line in lines if not line.startswith(MARK)))

    def _fence_at(self, at: int) -> str | None:
        found = _FENCE.match(self._lines[at])
        return found.group(1) if found else None

    def _closing(self, fence: str) -> int | None:
        """Looked for once when there is none, so that a text full of fences is quick to read."""
        character, length = fence[0], len(fence)
        if length >= self._unclosed.get(character, length + 1):
            return None
        for at in range(self._at + 1, len(self._lines)):
            other = self._lines[at].strip()
            if other and not other.strip(character) and len(other) >= length:
                return at
        self._unclosed[character] = length
        return None

    def _starts_table(self) -> bool:
        line, following = self._lines[self._at], "".join(self._lines[self._at + 1 : self._at + 2])
        if "|" not in line or len(following) > _LONGEST_DELIMITERS:
            return False
        return _DELIMITERS.match(following.strip()) is not None

    def _table(self) -> Block:
        rows = [_row(self._lines[self._at])]
        self._at += 2
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            rows.append(_row(self._lines[self._at]))
            self._at += 1
        return Block("table", tuple(filter(None, rows)))

    def _list(self) -> Block:
        """Items with what belongs to them: lines that follow, and indented ones after a gap."""
        items: list[str] = []
        item: list[str] = []
        gap = False
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if found := _ITEM.match(line) if not _RULE.match(line) else None:
                items += _item(item)
                item = [_mark(found), line[found.end() :]]
            elif not line.strip():
                gap = True
                self._at += 1
                continue
            elif (gap and line[:1] not in " \t") or line.startswith(MARK) or self._interrupts():
                break
            else:
                item.append(line)
            gap = False
            self._at += 1
        return Block("list", (*items, *_item(item)))

    def _paragraph(self) -> Block:
        lines = [self._lines[self._at]]
        self._at += 1
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or self._interrupts() or _ITEM.match(line):
                break
            lines.append(line)
            self._at += 1
        if all(line.startswith(_INDENT) for line in lines):  # code, or a poem: as it stands
            return Block("paragraph", tuple(line.strip() for line in lines))
        return Block("paragraph", tuple(_paragraph(lines)))

    def _interrupts(self) -> bool:
        line = self._lines[self._at]
        return bool(
            _FENCE.match(line)
            or _RULE.match(line)
            or heading_at(self._lines, self._at, after_text=True)
            or self._starts_table()
        )


def _paragraph(lines: Sequence[str]) -> list[str]:
    return [text for line in unwrapped(lines).split("\n") if (text := plain(line))]


def _item(lines: Sequence[str]) -> list[str]:
    """An item as one line: its mark, and the rest."""
    if not lines:
        return []
    text = " ".join(_paragraph(lines[1:]))
    return [lines[0] + text] if text else []


def _mark(item: re.Match[str]) -> str:
    """What an item begins with: bullets are all the same, numbers stay."""
    indent, mark, chinese = item.groups()
    depth = min(len(indent.expandtabs(4)) // 2, 3)
    mark = chinese or (f"{mark} " if mark[0].isdigit() else "- ")
    return "  " * depth + mark


def _row(line: str) -> str:
    inner = line.strip().removeprefix("|").replace("\\|", "\0").removesuffix("|")
    cells = [plain(cell.replace("\0", "|")) for cell in inner.split("|")]
    return f"| {' | '.join(cells)} |" if any(cells) else ""
