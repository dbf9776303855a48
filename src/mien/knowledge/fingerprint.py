"""Tells whether two chunks say the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from mien.retrieval.contract import Chunk

# Numbers keep their signs and points: prices differ by no more than that; "< 10" is not "> 10".
_PUNCTUATION = re.compile(
    r"(?:\.(?!\d)|[\s，。、；：！？,:!?;\"'“”‘’「」『』()（）\[\]【】《》*_`|…—·])+"
)


def fingerprint(chunk: Chunk) -> bytes:
    """The same for chunks with the same words in the same order, under the same title and headings;
    whatever their punctuation, spaces, capitals and widths of letters. 16 bytes.

    "Nine to five" under "Berlin" and under "Paris" are two things to know.
    """
    words = "\n".join(_words(text) for text in (chunk.title, *chunk.heading, chunk.text))
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).digest()


def _words(text: str) -> str:
    return _PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
