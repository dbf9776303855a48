"""Makes paragraphs and headings, in Markdown, of the lines on the pages of a PDF."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from mien.knowledge.pdf_lines import Line
from mien.retrieval.unwrap import columns

_EDGE = 2  # lines at the head and foot of a page that may be the same on all
_MOST_PAGES = 0.6
_PAGE_NUMBER = re.compile(
    r"[-–—\s]*(?:第\s*)?\d{1,4}(?:\s*[/／]\s*\d{1,4})?(?:\s*页)?[-–—\s]*$|(?:p\.?|page)\s*\d{1,4}"
    r"(?:\s*(?:of|/)\s*\d{1,4})?$",
    re.IGNORECASE,
)
_CONTENTS = re.compile(r"(?:[.·…]\s?){4,}\s*\d{1,4}$")
_END = 200
_LARGER = 1.15  # than the text; less is a caption in another font
_HEADING_CHARACTERS = 100
_LEVELS = 4
_ENDS = re.compile(r"[。！？!?.:：;；…”’」』）)]$")
_BULLET = re.compile(r"^(?:[•●▪◦■□◆\uf0b7\uf06c\uf0a7]\s*|-\s+)(?=\S)")
_NUMBERED = re.compile(
    r"(?:\d{1,3}[.)、]|[（(]\d{1,3}[）)]|[①-⑳]|[一二三四五六七八九十]{1,3}、|第\S{1,6}[章节条])"
)
# A line this wide, compared with the widest usual ones, was broken by the edge of the page.
_FULL = 0.75
_CONTINUED = 600  # characters


def paragraphs_of(pages: Sequence[Sequence[Line]]) -> list[str]:
    """Of each page its text in Markdown, without what is repeated on the pages.

    A paragraph that goes on overleaf stands whole on the page that it begins on.
    """
    cleaned = _without_repeated(pages)
    levels = _levels(cleaned)
    whole = [_paragraphs(page, levels) for page in cleaned]
    for page, following in pairwise(whole):
        if page and following and _goes_on(page[-1], following[0]):
            page[-1] = _joined(page[-1], following.pop(0))
    return ["\n\n".join(page) for page in whole]


def _without_repeated(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_pattern(page[at].text) for at in _edges(page)})
    needed = max(2, _MOST_PAGES * len(pages))
    kept = []
    for page in pages:
        dropped = {
            at
            for at in _edges(page)
            if seen[_pattern(page[at].text)] >= needed or _PAGE_NUMBER.match(page[at].text)
        }
        lines = (line for at, line in enumerate(page) if at not in dropped)
        # Only the end of a line, since the time this takes grows with the square of the dots.
        kept.append([line for line in lines if not _CONTENTS.search(line.text[-_END:])])
    return kept


def _edges(page: Sequence[Line]) -> set[int]:
    n = len(page)
    return {*range(min(_EDGE, n)), *range(max(0, n - _EDGE), n)}


def _pattern(text: str) -> str:
    return re.sub(r"\d+", "#", "".join(text.split()))


def _levels(pages: Sequence[Sequence[Line]]) -> dict[float, int]:
    """Which sizes of letters are headings, and of what level."""
    characters: Counter[float] = Counter()
    for page in pages:
        for line in page:
            characters[line.size] += len(line.text)
    if not characters:
        return {}
    usual = characters.most_common(1)[0][0]
    larger = sorted((size for size in characters if size > _LARGER * usual > 0), reverse=True)
    return {size: min(at, _LEVELS) for at, size in enumerate(larger, 1)}


def _paragraphs(page: Sequence[Line], levels: dict[float, int]) -> list[str]:
    text_lines = [line for line in page if line.size not in levels]
    widths = sorted(columns(line.text) for line in text_lines)
    full = _FULL * widths[int(0.9 * (len(widths) - 1))] if widths else 0.0
    gap = _usual_gap(text_lines)
    found: list[str] = []
    before: Line | None = None
    for line in page:
        level = levels.get(line.size) if len(line.text) <= _HEADING_CHARACTERS else None
        text = line.text if level is None else f"{'#' * level} {line.text}"
        same_heading = level is not None and before is not None and before.size == line.size
        if same_heading and found and len(found[-1]) + len(text) <= _HEADING_CHARACTERS:
            found[-1] = _joined(found[-1], line.text)
        elif level is None and before is not None and found and _wraps(before, line, full, gap):
            found[-1] = _joined(found[-1], text)
        else:
            found.append(_BULLET.sub("- ", text, count=1) if level is None else text)
        before = line
    return found


def _wraps(before: Line, line: Line, full: float, gap: float) -> bool:
    if before.size != line.size or _BULLET.match(line.text) or _NUMBERED.match(line.text):
        return False
    if gap and before.y - line.y > 1.4 * gap:
        return False
    width = columns(before.text)
    return width >= full or (width >= full / 2 and not _ENDS.search(before.text))


def _usual_gap(lines: Sequence[Line]) -> float:
    """Between the feet of two lines of a paragraph, in points; 0 where nobody says."""
    gaps = sorted(
        one.y - other.y
        for one, other in pairwise(lines)
        if 0 < one.y - other.y < 5 * max(one.size, 1.0)
    )
    return gaps[len(gaps) // 4] if gaps else 0.0


def _goes_on(last: str, first: str) -> bool:
    if last.startswith("#") or first.startswith(("#", "- ")) or _NUMBERED.match(first):
        return False
    return not _ENDS.search(last) and len(last) > 20 and len(first) <= _CONTINUED


def _joined(first: str, second: str) -> str:
    """A word that was divided at the end of a line is whole again."""
    if re.search(r"[a-zà-ÿ][-‐]$", first) and second[:1].islower():
        return first[:-1] + second
    together = columns(first[-1:]) == 2 and columns(second[:1]) == 2
    together = together or (re.search(r"\d[-‐–]$", first) is not None and second[:1].isdigit())
    return first + second if together else f"{first} {second}"
