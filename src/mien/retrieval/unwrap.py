"""Undoes the line breaks that an editor or a page width has put into a paragraph."""

from __future__ import annotations

import re
from collections.abc import Sequence

WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60"
    "\uffe0-\uffe6\U00020000-\U0003fffd"
)
_WIDE = re.compile(f"[{WIDE}]")
# Narrower text was broken by hand (an address, a poem, opening hours); wider text was not broken.
_NARROWEST, _WIDEST = 40, 130
# Who breaks lines by hand does so a little early; whoever ends one there ends it earlier still.
_FULL = 0.8


def columns(text: str) -> int:
    """The width of a text where Chinese characters are two columns wide (Unicode UAX #11)."""
    return len(text) + len(_WIDE.findall(text))


def unwrapped(lines: Sequence[str]) -> str:
    """A paragraph in one line, but for breaks that were meant: those a break was not needed for,
    and those with two spaces before them, as Markdown has it.
    """
    if not lines:
        return ""
    widths = [columns(line.rstrip()) for line in lines]
    usual = [width for width in widths if width <= _WIDEST]  # an address may be longer
    widest = max(usual, default=0)
    wrapped = widest >= _NARROWEST and 2 * len(usual) >= len(widths)
    pieces = [lines[0].strip()]
    for at, line in enumerate(lines[1:], 1):
        before, line = lines[at - 1], line.strip()
        needed = widths[at - 1] + 1 + columns(_first_word(line)) > _FULL * widest
        if wrapped and needed and not before.endswith("  "):
            together = _WIDE.match(before.rstrip()[-1:]) and _WIDE.match(line[:1])
            pieces += ["" if together else " ", line]
        else:
            pieces += ["\n", line]
    return "".join(pieces)


def _first_word(line: str) -> str:
    words = line[:60].split(maxsplit=1)
    return "" if not words else words[0][0] if _WIDE.match(words[0]) else words[0]
