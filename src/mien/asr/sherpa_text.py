"""What a recogniser heard, as one would write it."""

from __future__ import annotations

import re

from mien.asr.spelling import sentence

_HAN = r"\u3400-\u9fff\uf900-\ufaff"
_MARKS = r"，。！？、；：…"
# Inside Chinese there are no spaces, beside words of other scripts there is one.
_INSIDE = re.compile(rf"(?<=[{_HAN}{_MARKS}])\s+(?=[{_HAN}{_MARKS}])")
_BESIDE_MARK = re.compile(rf"(?<=[{_MARKS}])\s+|\s+(?=[{_MARKS}])")
_BETWEEN = re.compile(rf"(?<=[{_HAN}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%])(?=[{_HAN}])")
_SIGNS = re.compile(r"<[^<>\s]*>|▁")


def presentable(text: str) -> str:
    """Spaces where they belong; models that shout (upper case only) do not."""
    text = " ".join(_SIGNS.sub(" ", text).split())
    if not any(character.islower() for character in text):
        text = text.lower()
    text = _BESIDE_MARK.sub("", _INSIDE.sub("", text))
    text = _BETWEEN.sub(" ", text)
    return text if re.search(rf"[{_HAN}]", text) else sentence(text)
