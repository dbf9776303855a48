"""Cuts texts into pieces to search: short enough to be one answer, long enough to be understood."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

from mien.retrieval.blocks import Block, blocks
from mien.retrieval.contract import Chunk
from mien.retrieval.packing import packed


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text. place: where it is, for people ("p. 3")."""

    text: str
    place: str = ""


def chunks_of(
    text: str, title: str, url: str = "", place: str = "", *, trusted: bool = True
) -> list[Chunk]:
    """The pieces of a text in Markdown, or in plain words, in order; the same for the same text.

    Each has the headings above it (but for one that is the title), ends with a sentence where it
    can, and has at most 800 characters; one of fewer than 100 is usually all that stands under its
    heading. Paragraphs, items of a list (``- …``, ``1. …``) and rows of a table (``| … |``, the
    header first, also where a table is cut) are lines of their own. Comments that say how people
    ask belong to the piece before them, or directly below a heading to the first one behind it.
    Left out are front matter, images, other comments, and the targets of links. Takes linear time.

    trusted: False for texts of strangers, who may not say for which questions they are found.
    """
    return chunks_of_parts([Part(text, place)], title, url, trusted=trusted)


def chunks_of_parts(
    parts: Iterable[Part], title: str, url: str = "", *, trusted: bool = True
) -> list[Chunk]:
    """The same of a text that comes in parts, pages say: headings go on from one to the next."""
    return [
        Chunk(
            piece.text,
            title,
            section.heading(title),
            url,
            piece.place,
            piece.phrasings if trusted else (),
        )
        for section in _whole(_sections(parts), title)
        for piece in packed(section.blocks)
    ]


@dataclass(slots=True)
class _Section:
    """What stands between two headings: blocks with their places, below these headings."""

    path: tuple[Block, ...]
    place: str = ""
    blocks: list[tuple[Block, str]] = field(default_factory=list)

    def heading(self, title: str) -> tuple[str, ...]:
        texts = tuple(block.lines[0] for block in self.path)
        return texts[1:] if texts[:1] == (title,) else texts


def _sections(parts: Iterable[Part]) -> list[_Section]:
    sections = [_Section(())]
    for part in parts:
        for block in blocks(part.text):
            if block.kind == "heading":
                above = tuple(each for each in sections[-1].path if each.level < block.level)
                sections.append(_Section((*above, block), part.place))
            else:
                sections[-1].blocks.append((block, part.place))
    return sections


def _whole(sections: list[_Section], title: str) -> list[_Section]:
    """A heading with nothing below it is a line of what is above, as in a list of contents."""
    kept = [_Section(())]
    asked: list[tuple[Block, str]] = []  # below a heading that nothing else is below
    for section, following in zip_longest(sections, sections[1:]):
        path, content = section.path, [*asked, *section.blocks]
        asked = []
        if all(block.kind == "asked" for block, _ in content) and path:
            inside = following is not None and following.path[: len(path)] == path
            if inside or path[-1].lines == (title,):
                asked = content
                continue
            content = [(Block("paragraph", path[-1].lines), section.place), *content]
            path = path[:-1]
        if path == kept[-1].path:
            kept[-1].blocks += content
        else:
            kept.append(_Section(path, section.place, content))
    return kept
