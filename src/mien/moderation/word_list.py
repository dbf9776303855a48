"""Blocked words: files of one word or phrase per line, found however they are dressed up."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from mien.moderation.contract import ALLOWED, Verdict

BLOCKED = Verdict(False, "blocked_word")

# Scripts written without blanks: a word is wherever its characters are.
_SCRIPTS = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f"[{_SCRIPTS}]")
# Marks that people put into a word to hide it. Not the apostrophe: "he'll" is no hell.
_HIDING = re.compile(r"(?<=\w)[._*·•‧|/\\+~^=\-‐‑–]+(?=\w)")
_WORD = re.compile(rf"[^\W_{_SCRIPTS}]+")
_SAYABLE = re.compile(r"[^\W_]+")
# Letters one by one, with anything between them: "s p a m", "s. p. a. m".
_LETTER = rf"[^\W_{_SCRIPTS}]"
_SPELLED = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:[\W_]+{_LETTER}(?!{_LETTER})){{2,}}")


class WordListError(ValueError):
    """A file of words cannot be read. zh: the same in Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        super().__init__(message)
        self.zh = zh


def plain(text: str) -> str:
    """The text without disguise: full width, case, accents and invisible characters."""
    decomposed = unicodedata.normalize("NFKD", " ".join(text.split())).casefold()
    kept = "".join(c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cf", "Cc"))
    return unicodedata.normalize("NFKC", kept)


class WordList:
    """A Moderator by words, for both sides.

    Latin and other spaced words match whole words, so that "class" holds nothing bad; a ``*`` at
    the end of a line lets it match beginnings. Chinese matches anywhere, whatever stands between
    its characters. Costs microseconds per message however long the list is.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._unspaced: dict[str, set[int]] = {}  # the first character -> lengths
        self._compact: set[str] = set()
        self._phrases: set[tuple[str, ...]] = set()
        self._beginnings: set[str] = set()
        for word in words:
            self._add(word)
        self._longest = max(map(len, self._phrases), default=0)
        self._lengths = sorted({len(beginning) for beginning in self._beginnings})

    def _add(self, line: str) -> None:
        word = plain(line.strip())
        if _UNSPACED.search(word):
            compact = _compact(word)
            self._compact.add(compact)
            self._unspaced.setdefault(compact[0], set()).add(len(compact))
        elif word.endswith("*") and (found := _WORD.findall(word)):
            self._beginnings.add(found[-1])
        elif found := _WORD.findall(_HIDING.sub("", word)):
            self._phrases.add(tuple(found))

    def __len__(self) -> int:
        return len(self._compact) + len(self._phrases) + len(self._beginnings)

    def finds(self, text: str) -> bool:
        """Whether there is a blocked word in it."""
        shown = plain(text)
        return self._finds_unspaced(_compact(shown)) or self._finds_words(shown)

    def _finds_unspaced(self, compact: str) -> bool:
        for at, character in enumerate(compact):
            for length in self._unspaced.get(character, ()):
                if compact[at : at + length] in self._compact:
                    return True
        return False

    def _finds_words(self, shown: str) -> bool:
        joined = _HIDING.sub("", shown)
        spelled = _SPELLED.sub(lambda match: "".join(_WORD.findall(match[0])), joined)
        return any(
            self._finds_among(_WORD.findall(reading)) for reading in {shown, joined, spelled}
        )

    def _finds_among(self, words: Sequence[str]) -> bool:
        for at, word in enumerate(words):
            if self._begins_badly(word):
                return True
            for stop in range(at + 1, min(at + self._longest, len(words)) + 1):
                if tuple(words[at:stop]) in self._phrases:
                    return True
        return False

    def _begins_badly(self, word: str) -> bool:
        return any(word[:length] in self._beginnings for length in self._lengths)

    async def judge_message(self, author: str, text: str) -> Verdict:
        """Text and name count."""
        found = self.finds(text) or self.finds(author)
        return BLOCKED if found else ALLOWED

    async def judge_answer(self, text: str) -> Verdict:
        return BLOCKED if self.finds(text) else ALLOWED


def _compact(text: str) -> str:
    return "".join(_SAYABLE.findall(text))


def load_words(paths: Sequence[Path]) -> WordList:
    """The words of all files: UTF-8, one per line; blank lines and those with # are skipped.

    Raises WordListError.
    """
    words: list[str] = []
    for path in paths:
        try:
            lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise WordListError(
                f"cannot read the blocked words in {path}: {error}. "
                "Expected a text file in UTF-8 with one word per line.",
                f"无法读取屏蔽词文件 {path}：{error}。应为 UTF-8 文本，每行一个词。",
            ) from error
        words += [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return WordList(words)
