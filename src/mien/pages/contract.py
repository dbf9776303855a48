"""What reading a page gives, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass

from mien.language import Language


@dataclass(frozen=True, slots=True)
class Page:
    """What a web page says; all of it by somebody nobody vouches for.

    url: where it was in the end, after redirects. text: Markdown with headings, without the
    navigation around it. site, published: as the page states them, "" where it does not.
    language: None for one that is neither.
    """

    url: str
    title: str
    text: str
    site: str = ""
    published: str = ""
    language: Language | None = None


class PageError(Exception):
    """A page could not be read. The message says why, and what helps if anything does; zh: too."""

    def __init__(self, message: str, zh: str) -> None:
        super().__init__(message)
        self.zh = zh


class BlockedAddress(PageError):
    """An address that pages may not be read from: nothing was sent to it."""
