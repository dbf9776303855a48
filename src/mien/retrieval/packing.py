"""Packs what stands under a heading into pieces of a good length."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mien.retrieval.blocks import Block
from mien.retrieval.sentences import sentences
from mien.retrieval.unwrap import columns

LONGEST, SHORTEST = 800, 100  # characters
# Columns, so that a Chinese piece says as much as an English one: some 250 characters or 90 words.
# Longer pieces blur what they are about, shorter ones lose what "it" is.
_AIM = 500
_MOST = 700  # rather than cutting one in two
_LONGEST_CODE = 400
_LONGEST_HEADER = 200
_CLAUSE_ENDS = " \t，,、：:；;）)"


@dataclass(frozen=True, slots=True)
class Piece:
    """lines: kept together where it can be. header: repeated where they are cut. place: where it
    begins. asked: how people ask for it, each with the number of lines before it.
    """

    lines: tuple[str, ...]
    place: str = ""
    header: str = ""
    asked: tuple[tuple[int, str], ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def phrasings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(phrasing for _, phrasing in self.asked))

    def followed(self, by: Piece) -> Piece:
        moved = tuple((len(self.lines) + at, phrasing) for at, phrasing in by.asked)
        return Piece(self.lines + by.lines, self.place, by.header, self.asked + moved)


def packed(parts: Iterable[tuple[Block, str]]) -> Iterator[Piece]:
    """Pieces of at most 800 characters of these blocks and their places, in order."""
    waiting: Piece | None = None
    below_heading: tuple[tuple[int, str], ...] = ()
    for block, place in parts:
        if block.kind == "asked":
            behind = len(waiting.lines) if waiting else 0
            asked = tuple((behind, phrasing) for phrasing in block.lines)
            if waiting is None:
                below_heading += asked
            else:
                waiting = replace(waiting, asked=waiting.asked + asked)
            continue
        for piece in _pieces(block, place):
            if waiting is None:
                waiting = replace(piece, asked=below_heading)
            elif _belong_together(waiting, piece):
                waiting = waiting.followed(piece)
            else:
                yield from _cut(waiting)
                waiting = piece
    if waiting is not None:
        yield from _cut(waiting)


def _pieces(block: Block, place: str) -> Iterator[Piece]:
    if block.kind == "code":
        for code in _codes("\n".join(block.lines).strip("\n")):
            yield Piece((code,), place)
        return
    repeats = block.kind == "table" and len(block.lines[0]) <= _LONGEST_HEADER
    header = block.lines[0] if repeats else ""
    most = LONGEST - len(header) - 1
    lines = [short for line in block.lines for short in _short_lines(line, most)]
    yield Piece(tuple(lines), place, header)


def _belong_together(first: Piece, second: Piece) -> bool:
    """A short one goes with its neighbour, and what announces a list with the list."""
    length = len(first.text) + 1 + len(second.text)
    width = columns(first.text) + columns(second.text)
    if first.header and len(first.text) > LONGEST:
        return False  # a long table is cut by itself
    if width <= _AIM and length <= LONGEST:
        return True
    fits = width <= _MOST and length <= LONGEST
    announces = first.lines[-1].endswith((":", "：")) and len(first.text) <= LONGEST // 2
    small = min(len(first.text), len(second.text)) < SHORTEST
    return announces or (small and (fits or len(first.text) < SHORTEST))


def _cut(piece: Piece) -> Iterator[Piece]:
    """Into parts of about the same size, at lines."""
    if columns(piece.text) <= _MOST and len(piece.text) <= LONGEST:
        yield piece
        return
    widths = [columns(line) + 1 for line in piece.lines]
    aim = sum(widths) / math.ceil(sum(widths) / _AIM)
    lines: list[str] = []
    header = ""
    begin = width = length = 0
    for at, (line, its_width) in enumerate(zip(piece.lines, widths, strict=True)):
        full = length + len(line) > LONGEST or width + its_width / 2 > aim
        if lines and full and lines != [header]:
            yield Piece(tuple(lines), piece.place, asked=_between(piece.asked, begin, at))
            lines = [header] if header else []
            length, width = sum(len(each) + 1 for each in lines), 0
            begin = at
        lines.append(line)
        if line == piece.header:
            header = line
        length, width = length + len(line) + 1, width + its_width
    yield Piece(tuple(lines), piece.place, asked=_between(piece.asked, begin, len(piece.lines)))


def _between(asked: Iterable[tuple[int, str]], begin: int, end: int) -> tuple[tuple[int, str], ...]:
    """What is asked behind the lines from ``begin``, up to ``end``."""
    return tuple((at, each) for at, each in asked if begin < at <= end or at == begin == 0)


def _short_lines(line: str, most: int) -> list[str]:
    """A line, cut at sentences into parts of about the same size when it is long."""
    width = columns(line)
    if width <= _MOST and len(line) <= most:
        return [line]
    aim = width / math.ceil(width / _AIM)
    parts: list[str] = []
    part, so_far = "", 0
    for sentence in _whole_or_clauses(sentences(line), most):
        its_width = columns(sentence)
        if part and (len(part) + 1 + len(sentence) > most or so_far + its_width / 2 > aim):
            parts.append(part)
            part, so_far = "", 0
        part, so_far = _followed(part, sentence), so_far + its_width
    return [*parts, part] if part else parts


def _whole_or_clauses(whole: Sequence[str], most: int) -> Iterator[str]:
    """Sentences; those that are longer than a piece in clauses, or cut wherever it is."""
    for sentence in whole:
        at = 0
        while at < len(sentence):
            window = sentence[at : at + most + 1]
            if len(window) > most or columns(window) > _MOST:
                window = window[
                    : min(most, _AIM if columns(window) < 1.5 * len(window) else _AIM // 2)
                ]
                end = max(window.rfind(mark) for mark in _CLAUSE_ENDS) + 1
                window = window[:end] if end > len(window) // 2 else window
            if clause := window.strip():
                yield clause
            at += len(window)


def _followed(part: str, sentence: str) -> str:
    together = not part or _is_wide(part[-1]) or _is_wide(sentence[0])
    return part + sentence if together else f"{part} {sentence}"


def _is_wide(character: str) -> bool:
    return columns(character) == 2


def _codes(code: str) -> Iterator[str]:
    """Code, cut at empty lines when it is long; of what has none, the beginning."""
    part = ""
    for stretch in re.split(r"\n[ \t]*\n", code):
        short = _shortened(stretch)
        if part and len(part) + 2 + len(short) > _LONGEST_CODE:
            yield part
            part = ""
        part = f"{part}\n\n{short}" if part else short
    if part:
        yield part


def _shortened(code: str) -> str:
    if len(code) <= _LONGEST_CODE:
        return code
    end = code.rfind("\n", 0, _LONGEST_CODE)
    return f"{code[: end if end > 0 else _LONGEST_CODE]}\n…"
