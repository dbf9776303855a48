"""How long words usually take, for voices that do not tell."""

from __future__ import annotations

import re

from mien.media.speech import Word

# Characters per second.
CJK_PER_SEC, LATIN_PER_SEC = 4.5, 14.0

_CJK = r"\u2e80-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"(?P<cjk>[{_CJK}])|[^\s{_CJK}]+")
_SAYABLE = re.compile(r"[^\W_]")


def paced_words(text: str) -> tuple[Word, ...]:
    """The words of ``text`` one after the other at a usual pace; a Chinese one is a character."""
    words: list[Word] = []
    at = 0.0
    for match in _WORD.finditer(text):
        if match["cjk"]:
            length = 1 / CJK_PER_SEC
        else:
            length = len(match[0]) / LATIN_PER_SEC
        words.append(Word(*match.span(), at, at + length))
        at += length
    return tuple(words)
