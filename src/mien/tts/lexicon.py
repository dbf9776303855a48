"""How words are read that a voice would misread: hot words, brand names, polyphones.

    "GPT-4o" = "GPT four oh"
    "重庆" = "chong2 qing4"
    [zh]
    "AI" = "人工智能"

A table that stands alone is for every clause; ``[zh]`` is for clauses with Chinese characters,
``[en]`` for those without.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.language import Language
from mien.tts.pinyin import characters, is_pinyin
from mien.tts.spans import SpannedText

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Latin letters and digits make words; a dot or an @ within them makes an address of several.
_WORD = r"0-9A-Za-z\u00c0-\u024f"
_BEFORE, _AFTER = rf"(?<![{_WORD}])(?<![{_WORD}][.@_])", rf"(?![{_WORD}]|[.@_][{_WORD}])"

_LANGUAGES: tuple[Language, ...] = ("zh", "en")


class LexiconError(ValueError):
    """A lexicon cannot be used; the message names file and entry. zh: the same in Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        super().__init__(message)
        self.zh = zh


class Lexicon:
    """Words and how they are read.

    Latin words are found whole and in either case; of Chinese ones the longest that fits.
    """

    def __init__(self, entries: Mapping[Language | None, Mapping[str, str]]) -> None:
        """entries: readings as voices are to say them, for clauses in one language or (None) all.

        Those for one language go before those for all.
        """
        common = entries.get(None, {})
        self._words = {
            language: _Words({**common, **entries.get(language, {})}) for language in _LANGUAGES
        }

    def apply(self, text: SpannedText) -> SpannedText:
        """``text`` as it is read. What is read otherwise stands for what was written."""
        return self._words["zh" if _HAN.search(text.text) else "en"].apply(text)


class _Words:
    def __init__(self, words: Mapping[str, str]) -> None:
        self._readings = {_normal(word): reading for word, reading in words.items()}
        # The longest first: an alternation takes the first that fits.
        patterns = [_pattern(word) for word in sorted(self._readings, key=len, reverse=True)]
        self._pattern = re.compile("|".join(patterns), re.I) if patterns else None

    def apply(self, text: SpannedText) -> SpannedText:
        if self._pattern is None:
            return text
        parts, at = [], 0
        for match in self._pattern.finditer(text.text):
            written = text.cut(*match.span())
            parts += [text.cut(at, match.start()), written.reread(self._reading(match[0]))]
            at = match.end()
        return SpannedText.join([*parts, text.cut(at, len(text.text))])

    def _reading(self, written: str) -> str:
        # To a pattern that ignores case "İ" is an "i" too, which it is not to ``lower``.
        reading = self._readings.get(_normal(written), written)
        return characters(reading, written) if is_pinyin(reading) else reading


def _normal(word: str) -> str:
    return " ".join(word.lower().split())


def _pattern(word: str) -> str:
    before = _BEFORE if re.match(f"[{_WORD}]", word) else ""
    after = _AFTER if re.search(f"[{_WORD}]$", word) else ""
    return before + r"\s+".join(map(re.escape, word.split())) + after


def load_lexicon(paths: Sequence[Path]) -> Lexicon:
    """The lexicon in these TOML files; where they disagree, the later ones are right.

    Raises:
        LexiconError: when one cannot be read, or an entry not be understood.
    """
    entries: dict[Language | None, dict[str, str]] = {None: {}, "zh": {}, "en": {}}
    for path in paths:
        try:
            source = path.read_text(encoding="utf-8-sig")
            table = tomllib.loads(source)
        except OSError as error:
            why = error.strerror or str(error)
            raise LexiconError(f"lexicon {path}: {why}", f"读音词典 {path}：{why}") from error
        except ValueError as error:  # not TOML (says where), or not UTF-8
            raise LexiconError(f"lexicon {path}: {error}", f"读音词典 {path}：{error}") from error
        for language in _LANGUAGES:
            if isinstance(words := table.get(language), dict):
                entries[language] |= _checked(words, path, source)
                del table[language]
        entries[None] |= _checked(table, path, source)
    return Lexicon(entries)


def _checked(words: Mapping[str, Any], path: Path, source: str) -> dict[str, str]:
    for word, reading in words.items():
        lines = source.splitlines()
        line = next((n for n, text in enumerate(lines, 1) if word in text), 1)
        if wrong := _wrong(word, reading):
            en, zh = wrong
            raise LexiconError(
                f"lexicon {path}, line {line}: {word!r} {en}",
                f"读音词典 {path} 第 {line} 行：“{word}”{zh}",
            )
    return dict(words)


def _wrong(word: str, reading: object) -> tuple[str, str] | None:
    if isinstance(reading, dict):
        return (
            'is a section; only [zh] and [en] are, and a word with a dot needs quotes: "a.b" = "…"',
            '是一个小节；小节只有 [zh] 和 [en]，带点的词要加引号："a.b" = "…"',
        )
    if not isinstance(reading, str) or not reading.strip():
        return 'needs its reading in quotes: "…"', '的读音应写在引号里："…"'
    if not any(character.isalnum() for character in word):
        return "is no word", "不是词"
    if is_pinyin(reading):
        try:
            characters(reading)
        except ValueError as error:
            return f"is read {str(error)!r}, which is no syllable", f"的读音“{error}”不是拼音音节"
    return None
