"""Documents as other programs make them, for what reads them: PDF by hand, Word by python-docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import docx
from docx.oxml.ns import nsdecls
from lxml import etree

# A page of a PDF: the size of the letters in points, and a line; each below the last.
PdfPage = Sequence[tuple[float, str]]

_TO_UNICODE = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
{count} beginbfchar
{pairs}
endbfchar
endcmap end end"""


def pdf(pages: Sequence[PdfPage], title: str = "", pause: float = 1.4) -> bytes:
    """A PDF 1.7 (ISO 32000-1) with one font whose glyphs are numbered like Unicode, as a Chinese
    one may be. pause: between the feet of two lines, in sizes of letters.
    """
    objects: list[bytes] = []

    def add(content: bytes) -> int:
        objects.append(content)
        return len(objects)

    def stream(content: bytes) -> int:
        return add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))

    characters = sorted({c for page in pages for _, line in page for c in line})
    pairs = "\n".join(f"<{ord(c):04X}> <{ord(c):04X}>" for c in characters)
    unicode = stream(_TO_UNICODE.format(count=len(characters), pairs=pairs).encode())
    descendant = add(
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Song /DW 1000 /CIDToGIDMap /Identity "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>"
    )
    font = add(
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /Identity-H "
        b"/DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>" % (descendant, unicode)
    )
    tree = len(objects) + 2 * len(pages) + 1
    kids = []
    for page in pages:
        height, drawn = 800.0, ["BT"]
        for size, line in page:
            height -= pause * size
            glyphs = "".join(f"{ord(c):04X}" for c in line)
            drawn.append(f"/F1 {size} Tf 1 0 0 1 60 {height:.1f} Tm <{glyphs}> Tj")
        content = stream("\n".join([*drawn, "ET"]).encode())
        kids.append(
            add(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
                b"/Resources << /Font << /F1 %d 0 R >> >> >>" % (tree, content, font)
            )
        )
    add(
        b"<< /Type /Pages /Count %d /Kids [%s] >>"
        % (len(kids), b" ".join(b"%d 0 R" % k for k in kids))
    )
    root = add(b"<< /Type /Catalog /Pages %d 0 R >>" % tree)
    info = add(b"<< /Title <FEFF%s> >>" % title.encode("utf-16-be").hex().encode())
    out, starts = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        starts.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    trailer = b"<< /Size %d /Root %d 0 R /Info %d 0 R >>" % (len(objects) + 1, root, info)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer %s\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, trailer, len(out))
    )


def encrypted(data: bytes, password: str) -> bytes:
    """The same PDF, to be opened with a password; "" for one that only forbids something."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def handbook(path: Path) -> Path:
    """A Word document with a title, headings, both kinds of lists and a table."""
    document = docx.Document()
    document.add_heading("员工手册", 0)
    document.add_heading("第一章 考勤", 1)
    document.add_paragraph("上班时间为九点，下班时间为十八点。迟到三十分钟以内算迟到。")
    for step in ("打开应用", "点击打卡"):
        document.add_paragraph(step, style="List Number")
    document.add_heading("Holidays", 2)
    for kind in ("annual leave", "sick leave"):
        document.add_paragraph(kind, style="List Bullet")
    table = document.add_table(rows=2, cols=3)
    for row, texts in enumerate((("类别", "天数", ""), ("年假|带薪", "10", "一次休完"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    document.save(str(path))
    return path


def docx_of(path: Path, body: str) -> Path:
    """A Word document with this XML as its body, in which w: is the namespace."""
    document = docx.Document()
    within = document.element.body
    for element in etree.fromstring(f"<w:body {nsdecls('w')}>{body}</w:body>"):
        within.insert(len(within) - 1, element)  # before what sections look like
    document.save(str(path))
    return path


def docx_bomb(path: Path, megabytes: int, part_name: str = "word/document.xml") -> Path:
    """A Word document of some kilobytes that becomes this much when it is unpacked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(part_name, "w", force_zip64=True) as part:
            for _ in range(megabytes):
                part.write(b" " * 1_000_000)
    return path
