"""The addresses of web pages in what people say."""

from __future__ import annotations

import re
from collections.abc import Iterator

_URL = re.compile(r"""https?://[^\s<>"'`，。！？、；：（）【】《》「」『』“”‘’]+""", re.I)
# Said or typed without the beginning: example.com/page. Its end must look like a domain's.
_BARE = re.compile(
    r"(?<![\w@/.:-])(?:[a-z0-9-]+\.)+[a-z]{2,24}(?::\d+)?(?:/[\x21-\x7e]*)?(?![\w@])", re.I | re.A
)
_TRAILING = ".,;:!?)]}'\""


def addresses_in(text: str) -> Iterator[str]:
    """Each that is named, and again without what may be the end of a sentence or of brackets."""
    for match in _URL.finditer(text):
        yield match[0]
        yield match[0].rstrip(_TRAILING)
    for match in _BARE.finditer(text):
        yield "https://" + match[0].rstrip(_TRAILING)


def without_addresses(text: str) -> str:
    """The words alone, to tell their language by."""
    return _URL.sub(" ", text)
