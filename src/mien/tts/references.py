"""Recognises what points to a source in a written answer: citation marks, links, addresses.

Written as a scanner, not as regular expressions, because the text may still be arriving: whatever
reads past its end raises ``NeedsMore``, so a decision, once made, does not depend on what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_CLOSERS = {"[": "]", "［": "］", "【": "】", "(": ")", "（": "）"}
_MARK_OPENERS = "[［【"
_DIGITS = frozenset("0123456789０１２３４５６７８９")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LISTS, _RANGES = ",，、;；", "-–—~～"
_BLANKS = " \t\u3000"
_ENDS = "。.！!？?\n"
_LABELS = ("citation", "source", "ref", "来源", "參考", "参考", "引用", "資料", "资料")
_LEADS = (
    "来源", "资料来源", "信息来源", "数据来源", "参考来源", "参考资料", "参考", "出处", "引用",
    "來源", "資料來源", "參考資料", "出處",
    "source", "sources", "reference", "references", "ref", "refs", "via",
)  # fmt: skip
_JOINS = ("and", "和", "及", "与", "&")
_SCHEMES = ("http://", "https://", "www.")
_TARGETS = (*_SCHEMES, "mailto:", "/", "#", "./", "../")
# An address ends before what no URL has unescaped (RFC 3986) and before Chinese.
_NOT_IN_URL = frozenset(" \t\r\n<>\"'`|\\^{}[]（）“”‘’")
_NOT_LAST_IN_URL = ".,;:!?*_~'"
_MOST_TITLE, _MOST_URL, _MOST_LABEL = 100, 1000, 80  # characters that are held back
_MOST_IN_RANGE = 20


class NeedsMore(Exception):
    """What comes next decides."""


@dataclass(frozen=True, slots=True)
class Reference:
    """stop: the index behind it. numbers: of the sources it cites. instead: what stays of it."""

    stop: int
    numbers: tuple[int, ...] = ()
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Scanner:
    """A text of which more may come, unless it is ``final``. sources: how many may be cited."""

    text: str
    final: bool
    sources: int

    def at(self, i: int) -> str:
        """The character there, "" behind the end of the answer."""
        if i < len(self.text):
            return self.text[i]
        if self.final:
            return ""
        raise NeedsMore

    def reference(self, i: int, before: str) -> Reference | None:
        """What begins at ``i``, if that is a reference. before: some text in front of it."""
        c = self.at(i)
        if c in _MARK_OPENERS:
            return self._marks(i, before) or (self._link(i) if self.sources else None)
        if c in "(（":
            return self._group(i)
        if c in _SUPERSCRIPTS:
            return self._superscript(i, before)
        if not self.sources:
            return self._trailer(i, before)
        if c == "!":
            return self._link(i + 1) if self.at(i + 1) == "[" else None
        if c == "<":
            return self._autolink(i)
        if before[-1:].isascii() and before[-1:].isalnum():
            return None
        return self._url(i) or self._trailer(i, before)

    # -- marks -----------------------------------------------------------------------------

    def _marks(self, i: int, before: str) -> Reference | None:
        """``[1], [2]`` with what lists them."""
        mark = self._cited(i, before)
        while mark is not None:
            j = self._skip(mark.stop, _BLANKS)
            listed = self._skip(j, _LISTS)
            following = self._skip(listed, _BLANKS)
            c = self.at(following) if listed > j else ""
            more = self._cited(following, "") if c and c in _MARK_OPENERS else None
            if more is None:
                break
            mark = Reference(more.stop, mark.numbers + more.numbers)
        return mark

    def _cited(self, i: int, before: str) -> Reference | None:
        """A mark that cites, rather than an interval or the index of an array."""
        mark = self._linked_mark(i) or self._mark(i)
        if mark is None or 0 in mark.numbers:
            return None
        if any(1 <= number <= self.sources for number in mark.numbers):
            return mark
        if self.at(i + 1) == "^":  # as nothing else is written
            return mark
        glued = before[-1:] == "]" or (before[-1:].isascii() and before[-1:].isalnum())
        return mark if len(mark.numbers) <= 1 and not glued else None

    def _linked_mark(self, i: int) -> Reference | None:
        """``[1](address)`` and ``[[1]](address)``."""
        if self.at(i) != "[":
            return None
        inner = i + 1 if self.at(i + 1) == "[" else i
        mark = self._mark(inner)
        if mark is None:
            return None
        stop = mark.stop
        if inner > i:
            if self.at(stop) != "]":
                return None
            stop += 1
        if self.at(stop) != "(":
            return None
        target = self._target(stop + 1)
        return Reference(target, mark.numbers) if target else None

    def _mark(self, i: int) -> Reference | None:
        closer = _CLOSERS[self.at(i)]
        j = i + 1
        if self.at(j) == "^":
            return self._footnote(j + 1, closer)
        label = self._word(j, _LABELS)
        if label:
            j = self._skip(label, ":：#" + _BLANKS)
        numbers: list[int] = []
        ranged = False
        while True:
            j = self._skip(j, _BLANKS)
            stop = j
            while self.at(stop) in _DIGITS and self.at(stop):
                stop += 1
            if not 1 <= stop - j <= 3:
                return None
            number = int(self.text[j:stop])
            first = numbers[-1] + 1 if ranged else number
            numbers += range(max(first, number - _MOST_IN_RANGE), number + 1)
            j = self._skip(stop, _BLANKS)
            c = self.at(j)
            if c == closer:
                return Reference(j + 1, tuple(numbers))
            if c in ("†", ":"):
                return self._labelled(j, closer, numbers)
            if not c or c not in _LISTS + _RANGES:
                return None
            ranged = c in _RANGES
            j += 1

    def _footnote(self, j: int, closer: str) -> Reference | None:
        start = j
        while (c := self.at(j)) != closer:
            if not c or c.isspace() or j - start >= _MOST_LABEL:
                return None
            j += 1
        name = self.text[start:j]
        numbers = (int(name),) if name and len(name) <= 3 and set(name) <= _DIGITS else ()
        return Reference(j + 1, numbers) if name else None

    def _labelled(self, j: int, closer: str, numbers: Sequence[int]) -> Reference | None:
        """``【1†source】`` and ``【4:0†source】``; the first number of the latter is no source."""
        if self.at(j) == ":":
            numbers = ()
            j = self._skip(j + 1, "0123456789")
            if self.at(j) != "†":
                return None
        start = j
        while (c := self.at(j)) != closer:
            if not c or c == "\n" or j - start >= _MOST_LABEL:
                return None
            j += 1
        return Reference(j + 1, tuple(numbers))

    def _superscript(self, i: int, before: str) -> Reference | None:
        word = before[len(before.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) :]
        # "m²", "x²", "10²", "平方厘米²" are no citations.
        power = 0 < len(word) <= 2 or before[-1:] in _DIGITS | {"米", ""} or before[-1:].isspace()
        if not self.sources or power:
            return None
        stop = i
        while self.at(stop) in _SUPERSCRIPTS and self.at(stop):
            stop += 1
        digits = [_SUPERSCRIPTS.index(c) for c in self.text[i:stop]]
        number = int("".join(map(str, digits)))
        numbers = [number] if 1 <= number <= self.sources else digits
        good = all(1 <= n <= self.sources for n in numbers)
        return Reference(stop, tuple(numbers)) if good else None

    # -- links and addresses ---------------------------------------------------------------

    def _link(self, i: int) -> Reference | None:
        """``[title](address)``, of which the title stays."""
        if self.at(i) != "[":
            return None
        j = i + 1
        while (c := self.at(j)) != "]":
            if c in ("", "\n", "[") or j - i > _MOST_TITLE:
                return None
            j += 1
        if self.at(j + 1) != "(":
            return None
        stop = self._target(j + 2)
        if stop is None:
            return None
        title = self.text[i + 1 : j]
        return Reference(stop, instead="" if title.lower().startswith(_SCHEMES) else title)

    def _target(self, i: int) -> int | None:
        """Behind the bracket that closes a link's target, which begins at ``i``."""
        if self._word(i, _TARGETS) is None:
            return None
        j, depth = i, 0
        while True:
            c = self.at(j)
            if c in ("", "\n") or j - i > _MOST_URL:
                return None
            depth += (c == "(") - (c == ")")
            j += 1
            if depth < 0:
                return j

    def _url(self, i: int) -> Reference | None:
        begin = self._word(i, _SCHEMES)
        if begin is None:
            return None
        j, depth = begin, 0
        while (c := self.at(j)) and c not in _NOT_IN_URL and c < "\u2e80" and j - i < _MOST_URL:
            depth += (c == "(") - (c == ")")
            if depth < 0:
                break
            j += 1
        while j > begin and self.text[j - 1] in _NOT_LAST_IN_URL:
            j -= 1
        return Reference(j) if j > begin else None

    def _autolink(self, i: int) -> Reference | None:
        url = self._url(i + 1)
        return Reference(url.stop + 1) if url and self.at(url.stop) == ">" else None

    # -- several together ------------------------------------------------------------------

    def _group(self, i: int) -> Reference | None:
        """``(来源：[2])``, ``([1], [2])``, ``(https://…)``: brackets around references only."""
        closer = _CLOSERS[self.at(i)]
        j = self._skip(i + 1, _BLANKS)
        lead = self._word(j, _LEADS)
        if lead:
            j = self._skip(lead, ":：" + _BLANKS)
        items = self._items(j)
        if items and self.at(items.stop) == closer:
            return Reference(items.stop + 1, items.numbers)
        return None

    def _trailer(self, i: int, before: str) -> Reference | None:
        """``来源：[1][2]`` after a sentence."""
        after = before.rstrip(" ")[-1:]
        if after and after not in _ENDS:
            return None
        lead = self._word(i, _LEADS)
        if lead is None or self.at(lead) not in (":", "："):
            return None
        items = self._items(self._skip(lead + 1, _BLANKS))
        if items is None:
            return None
        end = self.at(items.stop)
        if end and end not in _ENDS:
            return None
        # The sentence before it has a mark of its own.
        return Reference(items.stop + (end in ("。", ".")), items.numbers)

    def _items(self, j: int) -> Reference | None:
        numbers: tuple[int, ...] = ()
        found = False
        while item := self._item(j):
            found = True
            numbers += item.numbers
            j = self._skip(item.stop, _LISTS + _BLANKS)
            if join := self._word(j, _JOINS):
                j = self._skip(join, _BLANKS)
        return Reference(j, numbers) if found else None

    def _item(self, j: int) -> Reference | None:
        c = self.at(j)
        if not c:
            return None
        if c in _MARK_OPENERS:
            return self._cited(j, "") or (self._link(j) if self.sources else None)
        return (self._autolink(j) if c == "<" else self._url(j)) if self.sources else None

    # -- characters ------------------------------------------------------------------------

    def _skip(self, i: int, characters: str) -> int:
        while (c := self.at(i)) and c in characters:
            i += 1
        return i

    def _word(self, i: int, words: Sequence[str]) -> int | None:
        """Behind the longest of ``words`` that stands at ``i``, in any case."""
        stop: int | None = None
        j = i
        while True:
            begun = self.text[i:j].lower()
            if begun in words:
                stop = j
            if not any(len(word) > len(begun) and word.startswith(begun) for word in words):
                return stop
            if not self.at(j):
                return stop
            j += 1
