"""Reads a page that was saved: its main text, without menus, adverts and scripts."""

from __future__ import annotations

import re

from mien.knowledge.charset import decoded
from mien.knowledge.errors import library_missing
from mien.knowledge.html_markdown import Page
from mien.knowledge.reading import File, Reading
from mien.retrieval.chunking import chunks_of

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,40})", re.IGNORECASE)
_HEAD = 4096
# Of all words of a page; where less is found to be its main text, all of it is meant to be read.
_MAIN = 0.4


def read(file: File) -> Reading:
    """Nothing that the page refers to is fetched."""
    declared = _CHARSET.search(file.data[:_HEAD])
    text = decoded(file.data, declared.group(1).decode() if declared else None)
    page = Page(text)
    title = file.title or page.title or file.name
    return Reading(title, chunks_of(_main_text(text, page), title, file.url))


def _main_text(text: str, page: Page) -> str:
    """trafilatura knows the clutter of websites, but takes the headings of a small page for such,
    and a page that says itself what is its main part needs nobody to guess.
    """
    if page.says_what_is_main:
        return page.markdown
    found = _without_clutter(text)
    headings_lost = "\n#" in f"\n{page.markdown}" and "\n#" not in f"\n{found}"
    return page.markdown if headings_lost or len(found) < _MAIN * len(page.markdown) else found


def _without_clutter(text: str) -> str:
    try:
        from trafilatura import extract
    except ImportError:
        raise library_missing("trafilatura") from None
    found = extract(
        text,
        output_format="markdown",
        include_comments=False,
        include_formatting=True,
        include_tables=True,
        favor_recall=True,
    )
    return found or ""
