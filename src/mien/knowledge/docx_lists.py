"""Which paragraphs of a Word document are items of a list, and with which number."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docx.document import Document
    from docx.text.paragraph import Paragraph

_DEEPEST = 8
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


class Lists:
    """Counts the items, so paragraphs have to be asked about in order (ECMA-376, 17.9)."""

    def __init__(self, document: Document) -> None:
        self._kinds = _kinds(document)
        self._numbers: dict[tuple[str, int], int] = defaultdict(int)

    def mark(self, paragraph: Paragraph) -> str | None:
        """What stands before an item ("- ", "3. ", indented when it is inside another)."""
        found = _numbering(paragraph)
        if found is None:
            return None
        number, level = found
        if self._kinds.get((number, level), "bullet") == "bullet":
            return "  " * level + "- "
        self._numbers[number, level] += 1
        for deeper in range(level + 1, _DEEPEST + 1):
            self._numbers.pop((number, deeper), None)
        return f"{'  ' * level}{self._numbers[number, level]}. "


def _numbering(paragraph: Paragraph) -> tuple[str, int] | None:
    """The list and the level, of the paragraph or else of its style."""
    style: Any = paragraph.style
    properties: list[Any] = paragraph._p.xpath("./w:pPr/w:numPr")
    for _ in range(10):
        if properties:
            numbers = properties[0].xpath("./w:numId/@w:val")
            levels = properties[0].xpath("./w:ilvl/@w:val")
            level = int(levels[0]) if levels and levels[0].isdigit() else 0
            # List 0 means that a paragraph has left the list of its style.
            return (numbers[0], min(level, _DEEPEST)) if numbers and numbers[0] != "0" else None
        if style is None:
            return None
        properties, style = style.element.xpath("./w:pPr/w:numPr"), style.base_style
    return None


def _kinds(document: Document) -> dict[tuple[str, int], str]:
    """Of each list and level whether it has bullets or is counted."""
    try:
        root = document.part.numbering_part.element
    except (KeyError, NotImplementedError):  # a document without lists has no such part
        return {}
    abstract: dict[str, dict[int, str]] = {}
    for definition in root.iterfind(f"{_W}abstractNum"):
        levels = {}
        for level in definition.iterfind(f"{_W}lvl"):
            shown = level.find(f"{_W}numFmt")
            levels[int(level.get(f"{_W}ilvl"))] = "" if shown is None else shown.get(f"{_W}val")
        abstract[definition.get(f"{_W}abstractNumId")] = levels
    kinds = {}
    for number in root.iterfind(f"{_W}num"):
        for name in number.iterfind(f"{_W}abstractNumId"):
            for depth, kind in abstract.get(name.get(f"{_W}val"), {}).items():
                kinds[number.get(f"{_W}numId"), depth] = kind
    return kinds
