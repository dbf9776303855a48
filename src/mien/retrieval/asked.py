"""How people ask for a passage, as its writer notes it: ``<!-- ask: … | … -->``, ``问：`` too."""

from __future__ import annotations

import re

#: Begins each phrasing in the line that a comment becomes; in no text that is read.
MARK = "\0"
_COMMENT = re.compile(r"\s*(?:ask|asked|问)\s*[:：](.*)", re.IGNORECASE | re.DOTALL)
_BETWEEN = re.compile(r"[|｜\n\r]")
# By four columns Markdown indents code: there a comment is an example of one.
_INDENTED = re.compile(r"(?: {4}|\t| {0,3}\t)[ \t]*$")
_LONGEST = 200  # characters


def phrasings_of(comment: str) -> tuple[str, ...]:
    """What stands between ``<!--`` and ``-->`` as ways to ask; () if it is another comment."""
    found = _COMMENT.match(comment)
    if found is None:
        return ()
    each = (" ".join(one.split())[:_LONGEST] for one in _BETWEEN.split(found.group(1)))
    return tuple(dict.fromkeys(filter(None, each)))


def without_comments(text: str) -> str:
    """A text in Markdown without its comments; one that says how people ask is a line of its own
    between empty ones, see ``MARK``. Takes linear time.
    """
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[at:start])
        line = text[text.rfind("\n", at, start) + 1 : start]
        if not _INDENTED.match(line) and (asked := phrasings_of(text[start + 4 : end])):
            kept.append("\n\n" + "".join(MARK + one for one in asked) + "\n\n")
        at = end + 3
    return "".join((*kept, text[at:]))
