"""What search services answer, made plain: texts without markup, addresses that can be compared."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from mien.search.contract import Result
from mien.tools.untrusted import visible

# Only what looks like a tag: "a < b" stays.
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>]*)?/?>", re.I)
_NOT_IN_ADDRESSES = re.compile(r"[\s<>\"\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Search services mark the query's words within a word, too, so a tag leaves no blank.
_SPACE = re.compile(r"\s+")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?=$|[T ])")
_TRACKING = re.compile(
    r"^(?:utm_\w+|gclid|fbclid|msclkid|yclid|mc_[ce]id|igshid|spm|srsltid)$", re.I
)
_MOST_CHARS = 20_000
SNIPPET_CHARS = 300
"""Of a longer text, as a snippet."""


def plain(value: object) -> str:
    """A text without tags, entities, invisible characters and line breaks; "" for what is none."""
    if not isinstance(value, str):
        return ""
    text = html.unescape(_TAG.sub("", value[:_MOST_CHARS]))
    return " ".join(visible(_SPACE.sub(" ", text)).split())


def web_address(value: object) -> str:
    """The address of a page, or "" for anything else."""
    if not isinstance(value, str) or len(value) > 2048:
        return ""
    address = value.strip()
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    good = parts.scheme in ("http", "https") and named and not _NOT_IN_ADDRESSES.search(address)
    return address if good else ""


def host_of(url: str) -> str:
    """The host as people say it, without "www."."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


def day(value: object) -> str:
    """The day of a time as ISO 8601 or RFC 5322 write it; what is written otherwise stays."""
    text = plain(value)
    if iso := _ISO_DAY.match(text):
        return iso[0]
    try:
        return parsedate_to_datetime(text).date().isoformat()
    except (ValueError, OverflowError):
        return text[:40]


def normalised(url: str) -> str:
    """The same for addresses that are, most likely, of the same page. Not to be opened."""
    parts = urlsplit(url)
    asked = [(name, value) for name, value in parse_qsl(parts.query) if not _TRACKING.match(name)]
    port = "" if parts.port in (None, 80, 443) else f":{parts.port}"
    return f"{host_of(url)}{port}{parts.path.rstrip('/')}?{urlencode(sorted(asked))}"


def distinct(results: Iterable[Result], limit: int) -> list[Result]:
    """At most ``limit`` of them, each page once."""
    known: set[str] = set()
    kept: list[Result] = []
    for result in results:
        key = normalised(result.url)
        if key not in known and len(kept) < limit:
            known.add(key)
            kept.append(result)
    return kept
