"""Words as a service reports them, found again in the text that it was given.

Services time words in their own spelling: without punctuation, escaped, several in one, a Chinese
word where we want characters. What they leave out or say otherwise is passed over.
"""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mien.tts.voice import Run, SpokenWord

# How far ahead of the last word the next one is looked for, in letters and digits per letter of
# it: "a" stands everywhere, a long word hardly twice. Without a limit one word that the service
# invented would swallow the text up to its next occurrence.
_REACH, _REACH_LEAST = 4, 8
# Of a word whose end nobody knows (no later one is told yet), in seconds per character.
_HAN_SEC, _LETTER_SEC = 0.2, 0.07


def joined(runs: Sequence[Run]) -> str:
    """The text of all runs, for services that take a clause in one piece.

    A blank keeps Latin words of neighbouring runs apart.
    """
    return "".join(text for _, text in _pieces(runs))


def _pieces(runs: Sequence[Run]) -> Iterator[tuple[int, str]]:
    """(index of the run, or -1 for a blank between two, text)."""
    before = ""
    for index, run in enumerate(runs):
        if before and run.text and _latin(before) and _latin(run.text[0]):
            yield -1, " "
        yield index, run.text
        before = run.text[-1:] or before


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


@dataclass(frozen=True, slots=True)
class _Letter:
    """A letter or digit of the clause, folded; ``word`` counts up where a new word begins."""

    text: str
    run: int
    at: int
    word: int


def _letters(runs: Sequence[Run]) -> list[_Letter]:
    letters: list[_Letter] = []
    word = 0
    for index, run in enumerate(runs):
        word += 1
        for at, character in enumerate(run.text):
            if not character.isalnum():
                # "don't" and "e-mail" are one word each, "salt and pepper" are three.
                word += character.isspace()
                continue
            word += _han(character)
            letters.extend(_Letter(c, index, at, word) for c in character.casefold())
            word += _han(character)
    return letters


class WordFinder:
    """Finds the words of one clause, in the order in which they are spoken."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._letters = _letters(runs)
        self._text = "".join(letter.text for letter in self._letters)
        self._at = 0
        self._since = 0.0
        self._timed: deque[SpokenWord] = deque()

    def add(self, word: str, start: float, end: float | None = None) -> None:
        """A service's word, heard from ``start`` to ``end`` s (None: unknown) of the clause."""
        folded = "".join(c for c in html.unescape(word).casefold() if c.isalnum())
        reach = max(_REACH_LEAST, _REACH * len(folded))
        found = self._text.find(folded, self._at, self._at + reach + len(folded))
        if not folded or found < 0:
            return
        letters = self._letters[found : found + len(folded)]
        self._at = found + len(folded)
        # What goes back in time would hold up everything behind it.
        start = self._since = max(start, self._since)
        length = max(0.0, _usual(letters) if end is None else end - start)
        self._time(letters, start, length)

    def _time(self, letters: Sequence[_Letter], start: float, length: float) -> None:
        """Share the time among the words by their letters."""
        done = 0
        while done < len(letters):
            first = letters[done]
            stop = done
            while stop < len(letters) and letters[stop].word == first.word:
                stop += 1
            begins, ends = (start + length * at / len(letters) for at in (done, stop))
            last = letters[stop - 1]
            self._timed.append(SpokenWord(first.run, first.at, last.at + 1, begins, ends))
            done = stop

    def take(self, begin: float, end: float) -> tuple[SpokenWord, ...]:
        """Words that begin before ``end`` and were not taken yet, in seconds from ``begin``.

        A word that was told when its sound had already been handed out begins before 0.
        """
        taken: list[SpokenWord] = []
        while self._timed and self._timed[0].start < end:
            word = self._timed.popleft()
            taken.append(replace(word, start=word.start - begin, end=word.end - begin))
        return tuple(taken)


def _usual(letters: Sequence[_Letter]) -> float:
    return sum(_HAN_SEC if _han(letter.text) else _LETTER_SEC for letter in letters)
