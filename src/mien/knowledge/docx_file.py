"""Reads Word documents: headings, paragraphs, lists and tables, in order."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mien.knowledge.docx_lists import Lists
from mien.knowledge.errors import KnowledgeError, library_missing
from mien.knowledge.reading import File, Reading
from mien.retrieval.chunking import chunks_of

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import Table
    from docx.text.paragraph import Paragraph

# Text is packed to a tenth; what becomes more than this was made to fill the memory. All parts
# count: python-docx unpacks pictures, too.
MOST_UNPACKED = 200_000_000
_PARTS = 5000
_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])", re.IGNORECASE)
_LONGEST_HEADING = 200
_LONGEST_REPEATED = 200
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# What python-docx passes over with all that is in it: tracked insertions, content controls (forms,
# templates), fields. ECMA-376, 17.13.5, 17.5.2, 17.16.19.
_WRAPPERS = [
    f"{_W}{name}"
    for name in ("ins", "moveTo", "sdt", "sdtContent", "smartTag", "customXml", "fldSimple")
]
_NOT_TEXT = [f"{_W}{name}" for name in ("sdtPr", "sdtEndPr", "del", "moveFrom")]
# "Click here to enter text", and a table of contents.
_NOT_SAID = (
    ".//w:sdt[w:sdtPr/w:showingPlcHdr or "
    "w:sdtPr/w:docPartObj/w:docPartGallery/@w:val = 'Table of Contents']"
)


def read(file: File) -> Reading:
    """Text boxes, footnotes, comments, heads and feet of pages are left out; changes that are
    tracked are taken as accepted.
    """
    _check_sizes(file.data)
    try:
        import docx
    except ImportError:
        raise library_missing("python-docx") from None
    document = docx.Document(io.BytesIO(file.data))
    _unwrap(document)
    blocks = list(_blocks(document))
    said = " ".join((document.core_properties.title or "").split())
    first = blocks[0].removeprefix("# ") if blocks and blocks[0].startswith("# ") else ""
    # Properties are often left from a template; the first page is what people see.
    title = file.title or first or (said if said and said in "\n".join(blocks) else "") or file.name
    return Reading(title, chunks_of("\n\n".join(blocks), title, file.url))


def _check_sizes(data: bytes) -> None:
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except zipfile.BadZipFile:
        raise KnowledgeError(
            "is no Word document (.docx); open it in Word or WPS and save it as .docx",
            "不是 Word 文档（.docx）；请在 Word 或 WPS 中打开并另存为 .docx",
        ) from None
    size = sum(part.file_size for part in parts)
    if size > MOST_UNPACKED or len(parts) > _PARTS:
        raise KnowledgeError(
            f"becomes {size / 1e6:.0f} MB in {len(parts)} parts when it is unpacked; split it",
            f"解压后有 {size / 1e6:.0f} MB、{len(parts)} 个部分，过大，请拆分",
        )


def _unwrap(document: Document) -> None:
    from lxml import etree  # type: ignore[import-untyped]

    body = document.element.body
    for control in body.xpath(_NOT_SAID):
        control.getparent().remove(control)
    etree.strip_elements(body, *_NOT_TEXT, with_tail=False)
    etree.strip_tags(body, *_WRAPPERS)


def _blocks(document: Document) -> Iterator[str]:
    """In Markdown; items that follow each other are one block."""
    from docx.table import Table

    lists = Lists(document)
    items: list[str] = []
    for content in document.iter_inner_content():
        if isinstance(content, Table):
            block, mark = _table(content), None
        else:
            block, mark = _paragraph(content), lists.mark(content)
        if not block:
            continue
        if mark is not None and not block.startswith("#"):
            items.append(mark + block)
            continue
        if items:
            yield "\n".join(items)
            items = []
        yield block
    if items:
        yield "\n".join(items)


def _paragraph(paragraph: Paragraph) -> str:
    text = "\n".join(" ".join(line.split()) for line in paragraph.text.split("\n")).strip()
    level = _level(paragraph)
    if text and level is not None and len(text) <= _LONGEST_HEADING:
        return f"{'#' * min(level, 6)} {' '.join(text.split())}"
    return text


def _level(paragraph: Paragraph) -> int | None:
    """By the paragraph's own level in the outline, or by its style or what that is based on."""
    own = paragraph._p.xpath("./w:pPr/w:outlineLvl/@w:val")
    style: Any = paragraph.style
    for _ in range(10):
        if own and own[0].isdigit():
            return int(own[0]) + 1 if int(own[0]) < 9 else None
        if style is None:
            return None
        name = style.name or ""
        if name.lower() == "title":
            return 1
        if numbered := _HEADING.match(name):
            return int(numbered.group(1))
        own, style = style.element.xpath("./w:pPr/w:outlineLvl/@w:val"), style.base_style
    return None


def _table(table: Table) -> str:
    rows = []
    above: dict[int, str] = {}
    for row in table._tbl.tr_lst:
        cells: dict[int, str] = {}
        column = 0
        # Of the XML: row.cells has a cell for each column that it spans, of which it may claim
        # thousands of millions.
        for cell in row.tc_lst:
            text = " ".join(_texts(cell).split()).replace("|", "\\|")
            if cell.vMerge == "continue":  # what spans several rows is meant for each
                text = above.get(column, "")
                text = text if len(text) <= _LONGEST_REPEATED else ""
            cells[column] = text
            column += max(cell.grid_span, 1)
        above = cells
        if any(cells.values()):
            rows.append(f"| {' | '.join(cells.values())} |")
    if len(rows) > 1:
        rows.insert(1, "|" + "---|" * max(1, rows[0].count(" | ") + 1))
    return "\n".join(rows)


def _texts(cell: Any) -> str:
    """Also those of tables inside."""
    return " ".join("".join(p.xpath(".//w:t/text()")) for p in cell.xpath(".//w:p"))
