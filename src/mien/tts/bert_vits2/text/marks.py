"""Punctuation as the voices were trained with it: seven marks stand for all others."""

from __future__ import annotations

from mien.tts.bert_vits2.text.phonemes import Unit
from mien.tts.bert_vits2.text.symbols import MARKS

_WRITTEN = {
    "!": "!！",
    "?": "?？",
    "…": "…⋯",
    ",": ",，、;；:：·•",
    ".": ".。．\n",
    "'": "'’‘\"“”「」『』《》〈〉()（）[]【】",
    "-": "-—–―−~～",
}
MARK_OF = {written: mark for mark, all_written in _WRITTEN.items() for written in all_written}
assert set(_WRITTEN) == set(MARKS)


def breaks(mark: str) -> bool:
    """Whether the voice pauses at it, so that sounds do not change across it."""
    return mark != "'"


def mark_units(text: str) -> list[Unit]:
    """The marks of a text. Several in a row are heard as the first ("？！", "——"), quotes apart."""
    found: list[Unit] = []
    before = ","  # a pause at the very front says nothing
    for at, char in enumerate(text):
        mark = MARK_OF.get(char)
        if mark is None:
            before = before if char.isspace() else ""
        elif mark != before and not (breaks(mark) and before and breaks(before)):
            found.append(Unit(at, at + 1, mark, (mark,), (0,), word=False))
            before = mark
    return found
