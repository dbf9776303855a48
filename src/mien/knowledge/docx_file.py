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

# Text is packed to a tenth; what becomes more than this was made to fill the memory. Pictures are
# not unpacked.
MOST_UNPACKED = 200_000_000
_PARTS = 5000
_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])", re.IGNORECASE)
_LONGEST_HEADING = 200


def read(file: File) -> Reading:
    """Text boxes, footnotes, comments, heads and feet of pages are left out."""
    _check_sizes(file.data)
    try:
        import docx
    except ImportError:
        raise library_missing("python-docx") from None
    document = docx.Document(io.BytesIO(file.data))
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
    text = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    if text > MOST_UNPACKED or len(parts) > _PARTS:
        raise KnowledgeError(
            f"becomes {text / 1e6:.0f} MB of text in {len(parts)} parts when it is unpacked; "
            "split it",
            f"解压后有 {text / 1e6:.0f} MB 文字、{len(parts)} 个部分，过大，请拆分",
        )


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
    for row in table.rows:
        cells: list[str] = []
        before: Any = None
        for cell in row.cells:
            if cell._tc is before:  # one that spans several columns comes several times
                continue
            before = cell._tc
            cells.append(" ".join(_texts(cell).split()).replace("|", "\\|"))
        if any(cells):
            rows.append(f"| {' | '.join(cells)} |")
    if len(rows) > 1:
        rows.insert(1, "|" + "---|" * max(1, rows[0].count(" | ") + 1))
    return "\n".join(rows)


def _texts(cell: Any) -> str:
    """Also those of tables inside."""
    return " ".join("".join(p.xpath(".//w:t/text()")) for p in cell._tc.xpath(".//w:p"))
