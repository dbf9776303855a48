"""Reads PDF: the text that is in it, page by page. Pictures of text need OCR first."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from mien.knowledge.errors import KnowledgeError, library_missing
from mien.knowledge.pdf_layout import paragraphs_of
from mien.knowledge.pdf_lines import Line, lines_of
from mien.knowledge.reading import File, Reading
from mien.language import detect_language
from mien.retrieval.chunking import Part, chunks_of_parts

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 2000
MAX_CHARACTERS = 20_000_000
# A page with fewer has a picture, or nothing.
_CHARACTERS = 5
_JUNK_TITLES = ("untitled", "microsoft word", "microsoft powerpoint", "powerpoint", "document")


def read(file: File) -> Reading:
    """Headings are told by their size. place: "p. 3" or "第 3 页"."""
    reader = _opened(file.data)
    pages = _pages(reader)
    texts = paragraphs_of(pages)
    empty = [n for n, text in enumerate(texts, 1) if len(text) < _CHARACTERS]
    if len(empty) == len(pages):
        raise KnowledgeError(
            "has pictures of pages but no text (a scan?); make it readable first, "
            "e.g. ocrmypdf -l chi_sim+eng in.pdf out.pdf",
            "只有页面图片，没有文字（扫描件？）；请先做文字识别，"
            "例如 ocrmypdf -l chi_sim+eng in.pdf out.pdf",
        )
    title = file.title or _title(reader, "\n".join(line.text for line in pages[0])) or file.name
    chinese = detect_language("\n".join(texts)[:20_000]) == "zh"
    name = "第 {} 页" if chinese else "p. {}"
    parts = [Part(text, name.format(n)) for n, text in enumerate(texts, 1)]
    return Reading(title, chunks_of_parts(parts, title, file.url), _notes(empty))


def _opened(data: bytes) -> PdfReader:
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError
    except ImportError:
        raise library_missing("pypdf") from None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells what it could mend
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")
        except DependencyError:
            opened = None
        if not opened:
            raise KnowledgeError(
                "is encrypted; save it without a password, e.g. "
                "qpdf --decrypt --password=… in.pdf out.pdf",
                "文件已加密；请另存为无密码的文件，例如 qpdf --decrypt --password=… in.pdf out.pdf",
            )
    if len(reader.pages) > MAX_PAGES:
        raise KnowledgeError(
            f"has {len(reader.pages)} pages; at most {MAX_PAGES}. Split it.",
            f"共 {len(reader.pages)} 页，超过 {MAX_PAGES} 页的上限，请拆分。",
        )
    return reader


def _pages(reader: PdfReader) -> list[list[Line]]:
    pages, characters = [], 0
    for page in reader.pages:
        pages.append(lines_of(page))
        characters += sum(len(line.text) for line in pages[-1])
        if characters > MAX_CHARACTERS:
            raise KnowledgeError(
                f"has more than {MAX_CHARACTERS / 1e6:.0f} million characters; split it",
                f"超过 {MAX_CHARACTERS // 10_000} 万字，请拆分",
            )
    return pages


def _title(reader: PdfReader, first_page: str) -> str:
    """What its properties say, if the first page does too: often they come from a template."""
    said = " ".join(str((reader.metadata and reader.metadata.title) or "").split())
    if not 2 <= len(said) <= 200 or said.lower().startswith(_JUNK_TITLES):
        return ""
    return said if "".join(said.split()) in "".join(first_page.split()) else ""


def _notes(empty: list[int]) -> tuple[tuple[str, str], ...]:
    if not empty:
        return ()
    named = ", ".join(map(str, empty[:10])) + (" …" if len(empty) > 10 else "")
    return ((f"no text on page {named}", f"第 {named} 页没有文字"),)
