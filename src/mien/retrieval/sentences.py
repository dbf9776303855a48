"""Cuts a text into sentences, Chinese and English."""

from __future__ import annotations

import re

from mien.retrieval.unwrap import WIDE

_CLOSING = "”’」』）)】》\"'"
_ABBREVIATION = re.compile(
    r"(?:^|[\s(（])(?:[A-Za-z]|e\.g|i\.e|etc|vs|cf|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|Inc|Ltd|Co|approx)\.$"
)
# What is on every keyboard ends a sentence only before a space or a Chinese character.
_END = re.compile(
    rf"[。！？；…][{_CLOSING}]{{0,4}}(?![。！？!?；…])|[!?;][{_CLOSING}]{{0,4}}(?=\s|[{WIDE}])"
    rf"|\.[{_CLOSING}]{{0,4}}(?=\s)|\n"
)


def sentences(text: str) -> list[str]:
    """Its sentences in order, with their punctuation; line breaks end one too.

    Joined again they are the text but for white space at their ends. None is empty.
    """
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        before = text[max(start, end.end() - 12) : end.end()]
        if end.group().startswith(".") and _continues(before, text[end.end() : end.end() + 3]):
            continue
        if sentence := text[start : end.end()].strip():
            found.append(sentence)
        start = end.end()
    if sentence := text[start:].strip():
        found.append(sentence)
    return found


def _continues(before: str, after: str) -> bool:
    """Whether a sentence goes on behind this full stop."""
    return after.strip()[:1].islower() or _ABBREVIATION.search(before) is not None
