"""What a site lets programs read: robots.txt (RFC 9309)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mien.pages.contract import PageError

PRODUCT = "mien"
"""Our name in robots.txt, as in the User-Agent."""

_MAX_RULES = 5000


@dataclass(frozen=True, slots=True)
class Rules:
    """rules: (whether it allows, path pattern). delay_sec: asked for between two pages
    (Crawl-delay, which the RFC leaves out and sites use)."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay_sec: float = 0.0

    def allow(self, path: str) -> bool:
        """Whether a path, with its query, may be read: the longest pattern decides, and of two
        equally long ones the one that allows (RFC 9309 §2.2.2)."""
        matching = [(len(pattern), allow) for allow, pattern in self.rules if _fits(pattern, path)]
        return max(matching, default=(0, True))[1]


EVERYTHING = Rules()


def parse_robots(text: str) -> Rules:
    """The rules for us: those of all groups that name us, else of all groups for everybody."""
    ours: list[tuple[str, str]] = []
    everybody: list[tuple[str, str]] = []
    named_us = False
    agents: list[str] = []
    in_rules = False
    for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))[: 10 * _MAX_RULES]:
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            if in_rules:
                agents, in_rules = [], False
            agents.append(re.split(r"[^a-z_*-]", value.lower())[0])
            named_us = named_us or agents[-1] == PRODUCT
        elif key in ("allow", "disallow", "crawl-delay"):
            in_rules = True
            if PRODUCT in agents:
                ours.append((key, value))
            elif "*" in agents:
                everybody.append((key, value))
    return _rules((ours if named_us else everybody)[:_MAX_RULES])


def forbidden(host: str) -> PageError:
    return PageError(
        f"{host} asks programs not to read this page (robots.txt)",
        f"{host} 不允许程序读取这个网页（robots.txt）",
    )


def _rules(lines: list[tuple[str, str]]) -> Rules:
    rules = []
    delay = 0.0
    for key, value in lines:
        if key == "crawl-delay":
            try:
                delay = max(delay, min(float(value), 3600.0))
            except ValueError:
                continue
        elif value:
            rules.append((key == "allow", value))
    return Rules(tuple(rules), delay)


def _fits(pattern: str, path: str) -> bool:
    """`*` is any run of characters, `$` at the end is the end; else it is a prefix.

    Piece by piece and never back: a hostile pattern costs no more than an honest one.
    """
    ends = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    if ends and rest:
        last = rest.pop()
        if len(path) - len(last) < place or not path.endswith(last):
            return False
        path = path[: len(path) - len(last)]
    elif ends:
        return place == len(path)
    for piece in rest:
        place = path.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return True
