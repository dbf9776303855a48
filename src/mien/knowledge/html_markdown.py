"""All that a reader sees of a page, as Markdown."""

from __future__ import annotations

import re
from typing import Any

from mien.knowledge.errors import library_missing

_UNSEEN = frozenset(
    "script style noscript template iframe object embed svg math canvas audio video head nav "
    "footer aside form button select input textarea dialog".split()
)
_BREAKS = frozenset(
    "address article blockquote body center dd details div dl fieldset figcaption figure header hr "
    "html li main ol p pre section summary table tbody tr ul".split()
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_MAIN_SHARE = 0.5
_CELL = re.compile(r"\s+")


class Page:
    """A page in HTML. title: as its tab shows it. markdown: its text. says_what_is_main: whether
    that is what the page itself calls its main part.
    """

    def __init__(self, text: str) -> None:
        try:
            from lxml import html  # type: ignore[import-untyped]
        except ImportError:
            raise library_missing("lxml") from None
        # An encoding declared inside would contradict that it is decoded already.
        text = re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", text)
        tree = html.document_fromstring(text or "<p></p>")
        self.title = _title(tree)
        whole = _Writer().written(tree)
        main = tree.xpath("//main | //*[@role='main']") or tree.xpath("//article")
        part = "\n\n".join(_Writer().written(each) for each in main[:100] if _outermost(each, main))
        self.says_what_is_main = len(part) > _MAIN_SHARE * len(whole)
        self.markdown = part if self.says_what_is_main else whole


def _title(tree: Any) -> str:
    """As the tab has it, but for the name of the website around the page's own heading."""
    title = _squeezed(tree.findtext(".//title") or "")[:200]
    headings = [_squeezed(heading.text_content()) for heading in tree.iter("h1")]
    own = len(headings) == 1 and len(headings[0]) > 1 and headings[0] in title
    return headings[0] if own else title


def _outermost(element: Any, all_of_them: list[Any]) -> bool:
    return not any(ancestor in all_of_them for ancestor in element.iterancestors())


def _squeezed(text: str) -> str:
    return _CELL.sub(" ", text).strip()


class _Writer:
    """lxml keeps trees flat enough (256 levels) for functions that call themselves."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._numbers: list[int | None] = []  # of the lists we are in: the next item, if numbered
        self._mark = ""  # of the item we are in, until it has been written

    def written(self, tree: Any) -> str:
        self._element(tree)
        self._end()
        return "\n\n".join(self._blocks)

    def _end(self, before: str = "", after: str = "") -> None:
        lines = [_squeezed(line) for line in "".join(self._line).split("\r")]
        self._line = []
        if text := "\n".join(line for line in lines if line):
            self._blocks.append(f"{before or self._mark}{text}{after}")
            self._mark = ""

    def _element(self, element: Any) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in _UNSEEN or _is_hidden(element):
            return
        if tag in _BREAKS or re.fullmatch("h[1-6]", tag):
            self._end()
        if tag == "table" and not element.xpath(".//table"):
            self._table(element)
        elif tag == "pre":
            self._blocks.append(f"```\n{element.text_content()}\n```".replace("\r", ""))
        elif tag == "br":
            self._line.append("\r")
        else:
            self._inside(element, tag)

    def _inside(self, element: Any, tag: str) -> None:
        if tag in ("ul", "ol"):
            self._numbers.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._mark = self._next_mark()
        self._line.append((element.text or "").replace("\r", " "))
        for child in element:
            self._element(child)
            self._line.append((child.tail or "").replace("\r", " "))
        if tag in ("ul", "ol"):
            self._end()
            self._numbers.pop()
        elif tag == "li":
            self._end()
            self._mark = ""
        elif tag in ("dt", "summary"):
            self._end("**", "**")
        elif tag in _BREAKS:
            self._end()
        elif re.fullmatch("h[1-6]", tag):
            self._line = [" ".join("".join(self._line).split())]
            self._end(f"{'#' * int(tag[1])} ")

    def _next_mark(self) -> str:
        indent = "  " * (len(self._numbers) - 1)
        if not self._numbers or self._numbers[-1] is None:
            return f"{indent}- "
        self._numbers[-1] += 1
        return f"{indent}{self._numbers[-1]}. "

    def _table(self, table: Any) -> None:
        rows = []
        for row in table.iter("tr"):
            cells = [cell for cell in row if cell.tag in ("td", "th")]
            texts = [_squeezed(cell.text_content()).replace("|", "\\|") for cell in cells]
            if any(texts):
                rows.append("| " + " | ".join(texts) + " |")
        if len(rows) > 1:
            rows.insert(1, "|" + "---|" * max(1, rows[0].count(" | ") + 1))
        if rows:
            self._blocks.append("\n".join(rows))


def _is_hidden(element: Any) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))
