"""Reads Markdown and plain text."""

from __future__ import annotations

import re

from mien.knowledge.charset import decoded
from mien.knowledge.errors import KnowledgeError
from mien.knowledge.reading import File, Reading
from mien.retrieval.blocks import blocks
from mien.retrieval.chunking import chunks_of

_SOME = 5000
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a]")


def read(file: File) -> Reading:
    """Its title is its first heading if that is the outermost one there is."""
    text = decoded(file.data)
    if len(_CONTROL.findall(text[:_SOME])) > len(text[:_SOME]) / 50:
        raise KnowledgeError("is no text, whatever its ending says", "内容不是文本，与扩展名不符")
    title = file.title or _first_heading(text) or file.name
    return Reading(title, chunks_of(text, title, file.url))


def _first_heading(text: str) -> str:
    first = next(iter(blocks(text[:_SOME])), None)
    return (
        first.lines[0] if first is not None and first.kind == "heading" and first.level == 1 else ""
    )
