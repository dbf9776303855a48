"""Which of the two languages mien speaks is a text in."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["zh", "en"]

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9'’.+-]*")


def detect_language(text: str, default: Language = "zh") -> Language:
    """Return the language a text is mainly in; `default` if it has letters of neither.

    Chinese questions are full of English product names, English ones hardly ever of Chinese
    characters, so a single Han character weighs as much as a Latin word.
    """
    han = len(_HAN.findall(text))
    words = len(_LATIN_WORD.findall(text))
    if han == words == 0:
        return default
    return "zh" if han >= words else "en"
