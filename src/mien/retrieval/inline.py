"""Takes the markup out of a line of Markdown: what is left is what a reader sees."""

from __future__ import annotations

import html
import re

# Every repetition is bounded or cannot meet its own beginning again, so that each pattern takes
# linear time whatever it is given.
_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)([^`\n]{1,2000})(?<!`)\1(?!`)")
_TARGET = r"\((?:<[^<>\n]{0,2000}>|[^()\s]{0,2000}(?:\([^()\s]{0,500}\)[^()\s]{0,500})?)"
_TITLE = r"(?:[ \t]{1,4}(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}'))?\)"
_IMAGE = re.compile(rf"!\[[^\[\]\n]{{0,500}}\](?:{_TARGET}{_TITLE}|\[[^\[\]\n]{{0,100}}\])")
_LINK = re.compile(rf"\[([^\[\]\n]{{0,1000}})\](?:{_TARGET}{_TITLE}|\[[^\[\]\n]{{0,100}}\])")
_ADDRESS = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,2000})>")
_STRONG = re.compile(r"(?<![*\\])(\*{1,3})(?![*\s])([^*\n]{0,1000}[^*\s\\])\1(?!\*)")
_UNDERLINED = re.compile(r"(?<![\w\\])(_{1,3})(?![_\s])([^_\n]{0,1000}[^_\s\\])\1(?!\w)")
_STRUCK = re.compile(r"~~(?![~\s])([^~\n]{0,1000}[^~\s])~~")
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|dd|del|details|div|dl|dt|em|figcaption|"
    r"figure|font|h[1-6]|hr|i|img|ins|kbd|li|mark|ol|p|picture|pre|q|s|samp|small|source|span|"
    r"strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video|wbr)"
    r"(?=[\s/>])[^<>]{0,2000}>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_MARKED = re.compile(r"[`!\[<*_~&\\]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def plain(line: str) -> str:
    """The words of a line: images go, of a link its text stays, emphasis and tags go."""
    if not _MARKED.search(line):
        return line.strip()
    line = _LINK.sub(r"\1", _IMAGE.sub("", line))
    pieces = _CODE.split(line)  # text, ticks, code, text, ticks, code, … text
    for at in range(0, len(pieces), 3):
        pieces[at] = _without_markup(pieces[at])
    for at in range(1, len(pieces), 3):
        pieces[at] = ""
    return "".join(pieces).strip()


def _without_markup(text: str) -> str:
    text = _ADDRESS.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    text = _STRONG.sub(r"\2", text)
    text = _STRONG.sub(r"\2", text)  # emphasis within emphasis
    text = _UNDERLINED.sub(r"\2", text)
    text = _STRUCK.sub(r"\1", text)
    text = _ESCAPED.sub(r"\1", text)
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
