"""What a page's bytes say, whatever charset its server, and its author, believe they are in."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.I)
_META_WITHIN = 4096

# UTF-8 and UTF-16 would have been recognised; "hex", "punycode" and the like are no charsets.
_ALPHABET = re.compile(r"gb|big5|euc|shift|iso8859|cp\d|koi8|mac|tis|hz|johab|ascii")

# The larger charset that each is a part of, as browsers read them (WHATWG Encoding).
_READ_AS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
}
# The commonest characters of what is written in each. A text read in the wrong one of them is made
# of rare characters, which a sentence is enough to show.
_KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB))))
_COMMON = {
    "gb18030": "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于",
    "big5hkscs": "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於",
    "cp932": _KANA,
    "euc_jp": _KANA,
    "cp949": "이다는의에을를가은고지하기한도로서사리어",
}
# Running text has 0.15 to 0.6 of them, anything else up to 0.03.
_COMMON_SHARE = 0.06
# Of the characters: a page may have been cut in the middle of one, or quote another charset.
_BROKEN_SHARE = 0.01
_SAMPLE = 1 << 16


def decode_page(body: bytes, stated: str = "") -> str:
    """The text of a page. stated: the charset of its Content-Type, "" for none.

    A byte order mark decides; then whether it is UTF-8, which nothing else is by chance; then
    which of the charsets of Chinese, Japanese and Korean makes text of it; then what the server
    or the page states; of what states nothing either, West European. Never raises: what fits
    nothing has replacement characters.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    found = _unmarked_utf16(body) or _utf8(body) or _east_asian(body)
    return body.decode(found or _stated(body, stated) or "cp1252", "replace")


def _unmarked_utf16(body: bytes) -> str | None:
    """Markup is full of ASCII, so every other byte is zero."""
    head = body[: 512 // 2 * 2]
    if head[1::2].count(0) * 2 > len(head[1::2]) and not head[::2].count(0):
        return "utf-16-le"
    if head[::2].count(0) * 2 > len(head[::2]) and not head[1::2].count(0):
        return "utf-16-be"
    return None


def _utf8(body: bytes) -> str | None:
    return "utf-8" if body.isascii() or _reads_well(body.decode("utf-8", "replace")) else None


def _reads_well(text: str) -> bool:
    high = sum(not character.isascii() for character in text)
    return text.count("\ufffd") <= _BROKEN_SHARE * high


def _east_asian(body: bytes) -> str | None:
    sample = _without_markup(body)[:_SAMPLE]
    best, best_share = None, _COMMON_SHARE
    for encoding, common in _COMMON.items():
        text = sample.decode(encoding, "replace")
        high = [character for character in text if not character.isascii()]
        if not _reads_well(text[:-1]):
            continue
        share = sum(character in common for character in high) / max(1, len(high))
        if share > best_share:
            best, best_share = encoding, share
    return best


def _without_markup(body: bytes) -> bytes:
    """Bytes below 0x40 are ASCII in all these charsets, so < and > are what they seem."""
    return re.sub(rb"<[^<>]{0,2000}>|[\x00-\x3f]+", b" ", body[: 4 * _SAMPLE])


def _stated(body: bytes, stated: str) -> str | None:
    declared = _META.search(body[:_META_WITHIN])
    for name in (stated, declared[1].decode("ascii") if declared else ""):
        try:
            encoding = codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        if _ALPHABET.match(encoding):
            return _READ_AS.get(encoding, encoding)
    return None
