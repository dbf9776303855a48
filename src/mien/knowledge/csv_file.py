"""Reads sheets saved as CSV: each row a text of its own, or a question with its answer."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice

from mien.knowledge.charset import decoded
from mien.knowledge.errors import KnowledgeError
from mien.knowledge.questions import Columns, columns_of, header_of
from mien.knowledge.reading import File, Reading
from mien.language import detect_language
from mien.retrieval.chunking import chunks_of
from mien.retrieval.contract import Chunk
from mien.retrieval.packing import LONGEST

MAX_ROWS = 100_000
_DELIMITERS = ",\t;|"
_SAMPLE_ROWS = 50
_LONGEST_CELL = 200_000
_URL = re.compile(r"https?://\S+$")


def read(file: File) -> Reading:
    """place: "row 12" or "第 12 行", as a spreadsheet counts them."""
    text = decoded(file.data).replace("\0", "")
    rows = _rows(text)
    if not rows:
        raise KnowledgeError("has no rows", "没有内容行")
    header, body = header_of([[_line(cell) for cell in cells] for _, cells in rows])
    rows = rows[len(rows) - len(body) :]
    title = file.title or file.name
    chinese = detect_language(text[:20_000]) == "zh"
    place = "第 {} 行" if chinese else "row {}"
    columns = columns_of(header, body)
    chunks = []
    for number, cells in rows:
        here = place.format(number)
        if columns is not None:
            chunks += _answered(cells, header, columns, title, file.url, here)
        elif line := _described(cells, header, chinese):
            # Not read as Markdown: what stands in a cell is meant as it is.
            chunks += _chunks(line, title, file.url, here)
    notes = () if columns is None else (("read as questions and answers", "按问答表读取"),)
    return Reading(title, chunks, notes)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Those that are not empty, with their numbers from 1. A cell may have several lines."""
    csv.field_size_limit(_LONGEST_CELL)
    delimiter = _delimiter(text)
    found = []
    try:
        # Not splitlines(), for which more ends a line than for spreadsheets.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for number, cells in enumerate(reader, 1):
            cells = [_lines(cell) for cell in cells]
            if any(cells):
                found.append((number, cells))
            if number > MAX_ROWS:
                raise KnowledgeError(
                    f"has more than {MAX_ROWS} rows; split it", f"超过 {MAX_ROWS} 行，请拆分"
                )
    except csv.Error as error:
        raise KnowledgeError(
            f"is no CSV ({error}); open it in a spreadsheet and save it as CSV UTF-8",
            f"不是有效的 CSV（{error}）；请用表格软件打开并另存为 CSV UTF-8",
        ) from None
    return found


def _delimiter(text: str) -> str:
    """The one that cuts the first rows into the same number of cells, and into most."""

    def quality(delimiter: str) -> tuple[float, int]:
        lines = io.StringIO(text[:200_000], newline="")
        try:
            rows = list(islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_ROWS))
        except csv.Error:
            return 0.0, 0
        counts = [len(row) for row in rows if any(row)]
        usual = max(set(counts), key=counts.count, default=1)
        return (counts.count(usual) / len(counts) if usual > 1 else 0.0), usual

    return max(_DELIMITERS, key=quality)


def _described(cells: Sequence[str], header: Sequence[str], chinese: bool) -> str:
    colon, semicolon = ("：", "；") if chinese else (": ", "; ")
    named = zip(map(_line, cells), [*header, *[""] * len(cells)], strict=False)
    return semicolon.join(f"{name}{colon}{cell}" if name else cell for cell, name in named if cell)


def _answered(
    cells: Sequence[str],
    header: Sequence[str],
    columns: Columns,
    title: str,
    url: str,
    place: str,
) -> list[Chunk]:
    """The answer under each way to ask for it; the columns that are neither stand below it."""
    cells = [*cells, *[""] * (max(columns.used) + 1 - len(cells))]
    answer = cells[columns.answer]
    if not answer:
        return []
    link = next((cells[at] for at in columns.links if _URL.match(cells[at])), url)
    theme = tuple(_line(cells[at]) for at in columns.themes if cells[at])
    others = [
        f"{name}: {cell}"
        for at, (name, cell) in enumerate(zip(header, cells, strict=False))
        if cell and at not in columns.used
    ]
    text = "\n".join((answer, *others))
    asked = [_line(cells[columns.question])]
    for at in columns.alike:
        asked += [each.strip() for each in re.split(r"[\n|｜;；]", cells[at])]
    return [
        Chunk(chunk.text, title, (*theme, question), link, place)
        for question in dict.fromkeys(filter(None, asked))
        for chunk in _chunks(text, title, link, place)
    ]


def _lines(cell: str) -> str:
    lines = (" ".join(line.split()) for line in re.split(r"\r\n?|\n", cell))
    return "\n".join(filter(None, lines))


def _line(cell: str) -> str:
    return cell.replace("\n", " ")


def _chunks(text: str, title: str, url: str, place: str) -> list[Chunk]:
    if len(text) <= LONGEST:
        return [Chunk(text, title, (), url, place)]
    return chunks_of(text, title, url, place)
