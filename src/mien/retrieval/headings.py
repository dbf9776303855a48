"""Which lines are headings: those of Markdown, and those that are numbered in Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mien.retrieval.inline import plain

_LONGEST = 120
_MARKED = re.compile(r" {0,3}(#{1,6})(?!#)(.*)$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NUMERAL = "[0-9０-９一二三四五六七八九十百千零〇两]"
# What is numbered, and the level it has: below headings of Markdown, which have 1 to 6.
_NUMBERED = (
    (re.compile(rf"第{_NUMERAL}{{1,6}}[编篇部卷](?!分)"), 7),
    (re.compile(rf"第{_NUMERAL}{{1,6}}章"), 8),
    (re.compile(rf"第{_NUMERAL}{{1,6}}节"), 9),
    (re.compile(r"[一二三四五六七八九十]{1,3}、"), 10),
    (re.compile(r"[（(][一二三四五六七八九十]{1,3}[）)]"), 11),
)
_LONGEST_NUMBERED = 40
_BOLD = re.compile(r"(\*\*|__)(?![*_\s])[^*_]{1,80}\1$")
_BOLD_LEVEL = 12
_SENTENCE = re.compile(r"[。；;]|[，,、：:！!.]$")


@dataclass(frozen=True, slots=True)
class Heading:
    """text: without markup. level: from 1; a higher one stands below. lines: that it takes."""

    text: str
    level: int
    lines: int = 1


def heading_at(lines: Sequence[str], at: int, after_text: bool = False) -> Heading | None:
    """The heading that begins with this line, which is not empty. after_text: a paragraph's line
    is right above, so that a line below is no underline but the end of that paragraph.
    """
    line = lines[at]
    if len(line) > 4 * _LONGEST:
        return None
    if marked := _MARKED.match(line):
        return _marked(marked.group(1), marked.group(2))
    text = plain(line)
    if not text or len(text) > _LONGEST:
        return None
    following = lines[at + 1] if at + 1 < len(lines) else ""
    if not after_text and "|" not in line and (underline := _UNDERLINE.match(following)):
        return Heading(text, 1 if underline.group(1)[0] == "=" else 2, lines=2)
    if _BOLD.match(line.strip()) and _stands_alone(lines, at) and not _SENTENCE.search(text):
        return Heading(text, _BOLD_LEVEL)
    return _numbered(lines, at, text)


def _marked(marks: str, rest: str) -> Heading | None:
    """ "#" of one level needs a space, so that "#topic" is none; people leave it out of others."""
    if rest and rest[0] not in " \t" and len(marks) == 1:
        return None
    text = rest.strip()
    without = text.rstrip("#")
    if without != text and without[-1:] in ("", " ", "\t"):
        text = without
    text = plain(text)
    return Heading(text, len(marks)) if len(text) <= _LONGEST else None


def _stands_alone(lines: Sequence[str], at: int) -> bool:
    around = (lines[at - 1] if at else "", lines[at + 1] if at + 1 < len(lines) else "")
    return not any(line.strip() for line in around)


def _numbered(lines: Sequence[str], at: int, text: str) -> Heading | None:
    """Short, no sentence, and no item among others: those have their like in the next line."""
    if len(text) > _LONGEST_NUMBERED or _SENTENCE.search(text):
        return None
    for pattern, level in _NUMBERED:
        if pattern.match(text):
            around = (*lines[max(0, at - 1) : at], *lines[at + 1 : at + 2])
            alike = any(pattern.match(line[:200].strip()) for line in around)
            return None if alike else Heading(text, level)
    return None
