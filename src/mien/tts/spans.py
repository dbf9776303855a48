"""Text that remembers, through every rewrite, which part of the original each character stands for.

Captions, word times and "what was heard" all speak of the clause as written, while the voice
reads a cleaned and normalised one; this is the thread between the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

Span = tuple[int, int]

# Latin words and digit runs are compared whole: "2.5" against "two point five" must not pair
# up stray letters. Everything else (Han, marks, blanks) goes character by character.
_TOKEN = re.compile(r"[^\W\d_\u2e80-\u9fff]+|\d+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SpannedText:
    """``text``, and for each of its characters the ``(begin, stop)`` it came from in the original.

    Begins and stops never decrease, whatever was rewritten.
    """

    text: str
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, text: str) -> SpannedText:
        """Each character stands for itself."""
        return cls(text, tuple((i, i + 1) for i in range(len(text))))

    @classmethod
    def join(cls, parts: Iterable[SpannedText]) -> SpannedText:
        """Parts in order, all from the same original."""
        parts = tuple(parts)
        return cls(
            "".join(part.text for part in parts),
            tuple(span for part in parts for span in part.spans),
        )

    def __bool__(self) -> bool:
        return bool(self.text)

    def cut(self, begin: int, stop: int) -> SpannedText:
        """Characters ``begin`` to ``stop`` (of this text, not of the original)."""
        return SpannedText(self.text[begin:stop], self.spans[begin:stop])

    def strip(self) -> SpannedText:
        """Without blanks at either end."""
        begin = len(self.text) - len(self.text.lstrip())
        return self.cut(begin, max(begin, len(self.text.rstrip())))

    def rewrite(
        self, pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str | None]
    ) -> SpannedText:
        """Each match becomes ``replacement``, all of which stands for all that was matched.

        A function may return None to leave its match as it is.
        """

        def render(match: re.Match[str]) -> SpannedText:
            new = replacement if isinstance(replacement, str) else replacement(match)
            if new is None:
                return self.cut(*match.span())
            return self._stand_in(new, *match.span())

        return self._substitute(pattern, render)

    def keep(self, pattern: re.Pattern[str], *groups: int | str) -> SpannedText:
        """Of each match only these groups remain (none: it is dropped), standing for themselves."""

        def render(match: re.Match[str]) -> SpannedText:
            return SpannedText.join(
                self.cut(*match.span(group)) for group in groups if match.group(group) is not None
            )

        return self._substitute(pattern, render)

    def reread(self, new: str) -> SpannedText:
        """``new`` is this text with parts spelt out ("5%" as "百分之五"); find which parts.

        What is the same in both stands for itself; what differs stands, as a block, for the
        block it replaced.
        """
        if new == self.text:
            return self
        before, after = _TOKEN.findall(self.text), _TOKEN.findall(new)
        old_at, new_at = _offsets(before), _offsets(after)
        parts: list[SpannedText] = []
        # Blanks are junk: two spellings of unequal word count would pair up their blanks.
        matcher = SequenceMatcher(str.isspace, before, after, autojunk=False)
        for kind, i, j, k, m in matcher.get_opcodes():
            if kind == "equal":
                parts.append(self.cut(old_at[i], old_at[j]))
            elif kind != "delete":
                parts.append(self._stand_in(new[new_at[k] : new_at[m]], old_at[i], old_at[j]))
        return SpannedText.join(parts)

    def _stand_in(self, new: str, begin: int, stop: int) -> SpannedText:
        if begin < stop:
            span = (self.spans[begin][0], self.spans[stop - 1][1])
        elif begin > 0:  # an insertion belongs to what it follows
            span = self.spans[begin - 1]
        elif self.spans:
            span = self.spans[0]
        else:
            span = (0, 0)
        return SpannedText(new, (span,) * len(new))

    def _substitute(
        self, pattern: re.Pattern[str], render: Callable[[re.Match[str]], SpannedText]
    ) -> SpannedText:
        parts: list[SpannedText] = []
        at = 0
        for match in pattern.finditer(self.text):
            if match.end() == match.start():
                continue
            parts += (self.cut(at, match.start()), render(match))
            at = match.end()
        if not parts:
            return self
        parts.append(self.cut(at, len(self.text)))
        return SpannedText.join(parts)


def _offsets(tokens: list[str]) -> list[int]:
    offsets = [0]
    for token in tokens:
        offsets.append(offsets[-1] + len(token))
    return offsets
