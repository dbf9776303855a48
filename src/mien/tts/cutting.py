"""Where a text that is too long for a voice is cut."""

from __future__ import annotations


def cut(text: str, begin: int, limit: int) -> int:
    """Where to end a passage of at most ``limit`` characters that begins at ``begin``.

    Best at the end of a sentence, else at a comma, at a blank, anywhere.
    """
    end = begin + limit
    if len(text) <= end:
        return len(text)
    for marks in ("。！？!?", "，、；：—…,;:", ""):
        for at in range(end, begin + limit // 4, -1):
            before, after = text[at - 1], text[at]
            # Latin punctuation ends something only before a space: 3.14, 12:30.
            if before in marks if marks else before.isspace():
                if before.isascii() and marks and not after.isspace():
                    continue
                return at
    return end
