"""Characters with several readings: which one where the word alone does not tell.

pypinyin's dictionary knows most words. What is left are words it reads oddly (``words.txt``) and
single characters such as 还, 得 and 长 (``readings.txt``; inside words: ``inside.txt``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

# pypinyin knows them as words with one reading, but they have several.
APART = frozenset({"得了", "一行", "一只", "都会", "这行", "那行"})

_Rule = tuple[re.Pattern[str], re.Pattern[str], str]


def lines(name: str) -> Iterator[list[str]]:
    """The lines of a data file of this package, each split at blanks; "#" begins a remark."""
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield line.split(" ")


@cache
def words() -> dict[str, tuple[str, ...]]:
    """Words read otherwise than pypinyin has it; tones as digits, 5 neutral."""
    return {word: tuple(pinyin) for word, *pinyin in lines("words.txt")}


def reading(char: str, left: str, right: str) -> str | None:
    """How a character that stands alone is read between ``left`` and ``right``, if a rule says.

    left, right: the words of the phrase before and after it, as "text/tag text/tag" with the tags
        of jieba.
    """
    for before, after, pinyin in _rules().get(char, ()):
        if before.search(left) and after.match(right):
            return pinyin
    return None


def reading_inside(char: str, first: bool) -> str | None:
    """The same inside a word that is in no dictionary, at its front or not."""
    found = _inside()
    return found.get(f"^{char}" if first else char) or found.get(char)


@cache
def _inside() -> dict[str, str]:
    return dict(lines("inside.txt"))


@cache
def _rules() -> dict[str, list[_Rule]]:
    rules: dict[str, list[_Rule]] = {}
    for char, pinyin, left, right in lines("readings.txt"):
        before = re.compile("" if left == "-" else f"(?:{left})$")
        after = re.compile("" if right == "-" else right)
        rules.setdefault(char, []).append((before, after, pinyin))
    return rules
