"""What is left to say of a text that was interrupted."""

from __future__ import annotations

import re

from mien.gestures import tag_spans

_SENTENCE_END = re.compile(r"(?:[。！？!?…｡]+|\.+(?=[\s”’\"')\]]|$))[”’」』）)】\]》\"']*")


def rest_of(text: str, heard: str) -> str:
    """``text`` from the sentence on in which the listener was cut off; "" after the last one.

    heard: what was heard of it, without tags; blanks do not count.
    """
    cut = _place(text, sum(not c.isspace() for c in heard))
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text))]
    return text[max(start for start in starts if start <= cut) :].strip()


def _place(text: str, characters: int) -> int:
    """Behind so many characters that are said."""
    tags = list(tag_spans(text))
    at = 0
    while at < len(text) and characters > 0:
        tag = next((stop for begin, stop in tags if begin == at), None)
        if tag is not None:
            at = tag
            continue
        characters -= not text[at].isspace()
        at += 1
    return at
