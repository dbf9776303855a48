"""Takes out of a streamed answer what points to its sources: marks such as [1], links, addresses.

They are for the eye, and the page shows the sources as cards; so they are neither spoken nor in
the caption. Gesture tags such as ``[smile]`` stay.
"""

from __future__ import annotations

from mien.tts.references import NeedsMore, Scanner

_NO_BLANK_BEFORE = frozenset("。！？!?.…｡，、；：,;:)）]】”’」』》\n")
_NO_BLANK_AFTER = frozenset(" \n\t(（[【“‘「『《")
# A clause may end with these: the blank behind them must not wait for what follows.
_ENDS = frozenset("。！？!?.…｡，、；：,;:—–～\"'”’」』）)】]》*_`")
_CONTEXT_CHARS = 40


class CitationFilter:
    """Feed it an answer in any pieces; what it returns, joined, does not depend on the pieces.

    Text is held back only while it may still become part of a citation, a link or an address, and
    the blank after a word until the next character. sources: how many sources the answer has so
    far, to be set as they come. Without any, only marks are taken out: an address is then part of
    the answer, as in "our shop is at www.…". Code stays as it is.
    Not thread-safe; one per answer or, after ``flush`` or ``reset``, for the next.
    """

    def __init__(self, sources: int = 0) -> None:
        self.sources = sources
        self.reset()

    def reset(self) -> None:
        """Forget all but the number of sources; what comes next begins a new answer."""
        self._pending = ""
        self._before = ""  # the end of what was returned
        self._blanks = ""  # after a word; what follows decides whether they stay
        self._dropped = False  # something, since the last character that stayed
        self._fence = 0  # backticks that close the code we are in, 0 = none
        self._cited: list[int] = []

    @property
    def cited(self) -> tuple[int, ...]:
        """The sources cited so far, in the order of their first citation."""
        return tuple(self._cited)

    def feed(self, text: str) -> str:
        """Add ``text`` (any length, also ""); returns what of the answer is now certain."""
        self._pending += text
        return self._advance(final=False)

    def flush(self) -> str:
        """The answer is over: what was held back. Forgets all but what was cited."""
        out = self._advance(final=True)
        if not self._dropped:
            out += self._blanks
        cited = self._cited
        self.reset()
        self._cited = cited
        return out

    def _advance(self, final: bool) -> str:
        scanner = Scanner(self._pending, final, self.sources)
        out: list[str] = []
        at = 0
        while at < len(self._pending):
            try:
                at = self._step(scanner, at, out)
            except NeedsMore:
                break
        self._pending = self._pending[at:]
        return "".join(out)

    def _step(self, scanner: Scanner, at: int, out: list[str]) -> int:
        """Deal with what stands at ``at``; returns the index behind it."""
        c = scanner.at(at)
        if c == "`":
            return self._backticks(scanner, at, out)
        if self._fence:
            if c == "\n" and self._fence < 3:
                self._fence = 0  # code within a line that was never closed
        elif found := scanner.reference(at, self._before + self._blanks):
            self._note(found.numbers)
            self._dropped = True
            for each in found.instead:
                self._put(each, out)
            return found.stop
        self._put(c, out)
        return at + 1

    def _backticks(self, scanner: Scanner, at: int, out: list[str]) -> int:
        stop = at
        while scanner.at(stop) == "`":
            stop += 1
        for _ in range(stop - at):
            self._put("`", out)
        if self._fence == 0:
            self._fence = stop - at
        elif self._fence == stop - at:
            self._fence = 0
        return stop

    def _note(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            if 1 <= number <= self.sources and number not in self._cited:
                self._cited.append(number)

    def _put(self, c: str, out: list[str]) -> None:
        """Return ``c``, with the blanks in front of it that are not doubled by what was dropped."""
        if c == " " and not self._fence:
            last = self._before[-1:]
            if self._dropped and (self._blanks or not last or last in _NO_BLANK_AFTER):
                return
            if self._blanks or (last and last not in _ENDS and not last.isspace()):
                self._blanks += c
                return
        elif self._blanks:
            if not (self._dropped and c in _NO_BLANK_BEFORE):
                out.append(self._blanks)
            self._blanks = ""
        if c != " ":
            self._dropped = False
        out.append(c)
        self._before = (self._before + c)[-_CONTEXT_CHARS:]
