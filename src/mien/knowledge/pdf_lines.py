"""The lines of a page of a PDF, with what tells headings from text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PageObject

# Letters that stand closer or wider than the font has them are taken for words of their own.
_STRAY = re.compile(
    r"(?<=\w) (?=[.,;:!?](?:\s|$))|(?<=\d[-‐‑–]) (?=\d)"
    r"| (?=[，。、；：！？）])|(?<=[，。、；：！？（]) "
)


@dataclass(frozen=True, slots=True)
class Line:
    """size: of its letters, in points; 0 where unknown. y: of its foot on the page, in points."""

    text: str
    size: float = 0.0
    y: float = 0.0


@dataclass(slots=True)
class _Growing:
    pieces: list[str] = field(default_factory=list)
    sizes: Counter[float] = field(default_factory=Counter)
    y: float = 0.0

    def take(self, text: str, size: float, y: float) -> None:
        if text.strip() and not self.sizes:
            self.y = y
        self.pieces.append(text)
        self.sizes[size] += len(text.strip())

    def line(self) -> Line:
        size = max(self.sizes, key=lambda each: self.sizes[each], default=0.0)
        text = " ".join(_usual_characters("".join(self.pieces)).split())
        return Line(_STRAY.sub("", text), size, self.y)


def lines_of(page: PageObject) -> list[Line]:
    """Those that have text, in the order they are written in."""
    lines: list[Line] = []
    growing = _Growing()

    def visit(text: str, page_matrix: Any, text_matrix: Any, font: Any, size: Any) -> None:
        nonlocal growing
        first, *others = text.split("\n")
        where = _where(page_matrix, text_matrix, size)
        growing.take(first, *where)
        for other in others:
            lines.append(growing.line())
            growing = _Growing()
            growing.take(other, *where)

    page.extract_text(visitor_text=visit)
    lines.append(growing.line())
    return [line for line in lines if line.text]


def _where(page_matrix: Any, text_matrix: Any, size: Any) -> tuple[float, float]:
    """Size of letters and height on the page: both matrices are [a, b, c, d, e, f], PDF 8.3.3."""
    try:
        tall = abs(float(text_matrix[3])) or abs(float(text_matrix[1])) or 1.0
        scale = abs(float(page_matrix[3])) or abs(float(page_matrix[1])) or 1.0
        y = float(text_matrix[5]) * float(page_matrix[3]) + float(page_matrix[5])
        return round(abs(float(size)) * tall * scale, 1), y
    except (TypeError, ValueError, IndexError):
        return 0.0, 0.0


def _usual_characters(text: str) -> str:
    """Ligatures (ﬁ) and Kangxi radicals (⼀ for 一) are an affair of fonts; so are odd spaces.

    Fonts give halves of surrogate pairs, too: two make a character, one alone is none.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(
        unicodedata.normalize("NFKC", c)
        if "\ufb00" <= c <= "\ufb06" or "\u2e80" <= c <= "\u2fdf" or c in "\xa0\u2002\u2003\u2009"
        else c
        for c in text
        if c not in "\xad\0\u200b"
    )
