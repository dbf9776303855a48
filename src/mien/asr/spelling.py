"""Words as people write them, of recognisers that write all alike."""

from __future__ import annotations

import re

_I = re.compile(r"\bi(?=$|[\s'’.,!?])")


def sentence(words: str) -> str:
    """English in lower case → with a capital first letter, and "I" where it is meant."""
    words = _I.sub("I", words.strip())
    return words[:1].upper() + words[1:]
