"""Which characters the bytes of a text file stand for, when nothing says so."""

from __future__ import annotations

import codecs
from itertools import islice

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# First bytes of the everyday characters and the punctuation of each; what has mostly others was
# not written in it. GB 2312 level 1; Big5 level 1.
_EVERYDAY = {
    "gb18030": (range(0xA1, 0xA4), range(0xB0, 0xD8)),
    "big5": (range(0xA1, 0xA4), range(0xA4, 0xC7)),
}
_ENOUGH = 0.6
_SAMPLE = 20_000  # characters


def decoded(data: bytes, declared: str | None = None) -> str:
    """The text: by its mark, UTF-8, UTF-16, what is declared, GB 18030 (with GBK), Big5, and
    Western European at last. Never raises.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if (text := _strictly(data, "utf-8")) is not None and "\0" not in text:
        return text
    if guess := _without_mark(data):
        return data.decode(guess, "replace")
    for each in (declared, *sorted(_EVERYDAY, key=lambda each: -_share(data, each))):
        encoding = (each or "").lower()
        if not encoding or (encoding in _EVERYDAY and _share(data, encoding) < _ENOUGH):
            continue
        if (text := _strictly(data, encoding)) is not None:
            return text
    if text := _mostly_utf8(data):
        return text
    return data.decode("cp1252", "replace")


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _mostly_utf8(data: bytes) -> str | None:
    """A file that was cut, or pasted together, is still what most of it is."""
    text = data.decode("utf-8", "replace")
    foreign = sum(character > "\x7f" for character in text)
    return text if text.count("\ufffd") * 10 < foreign else None


def _without_mark(data: bytes) -> str | None:
    """UTF-16 of any language has its spaces and line ends as pairs with a zero."""
    sample = data[:4000]
    for zero, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        pairs = [sample[at : at + 2] for at in range(0, len(sample) - 1, 2)]
        ascii_pairs = sum(pair[zero] == 0 and 9 <= pair[1 - zero] < 127 for pair in pairs)
        if pairs and ascii_pairs > len(pairs) / 50 and not any(p == b"\0\0" for p in pairs):
            return encoding
    return None


def _share(data: bytes, encoding: str) -> float:
    """Of the characters that are not ASCII, how many are everyday ones; 0 when some are none."""
    text = _strictly(data, encoding)
    if text is None:
        return 0.0
    narrow = "gb2312" if encoding == "gb18030" else encoding
    foreign = list(islice((character for character in text if character > "\x7f"), _SAMPLE))
    everyday = 0
    for character in foreign:
        first = character.encode(narrow, "ignore")[:1]
        everyday += bool(first) and any(first[0] in leads for leads in _EVERYDAY[encoding])
    return everyday / max(len(foreign), 1)
