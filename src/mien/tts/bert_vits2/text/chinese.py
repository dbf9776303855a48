"""Mandarin text to phones and tones, one unit per character.

Words are jieba's (as in the training of the voices), readings pypinyin's with rules for single
characters, tones as they are in connected speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from mien.tts.bert_vits2.text import neutral, sandhi
from mien.tts.bert_vits2.text.extra import needs
from mien.tts.bert_vits2.text.marks import MARK_OF, breaks, mark_units
from mien.tts.bert_vits2.text.phonemes import Unit
from mien.tts.bert_vits2.text.readings import APART, reading, reading_inside
from mien.tts.bert_vits2.text.readings import words as known_words
from mien.tts.bert_vits2.text.sandhi import Syllable, Word
from mien.tts.bert_vits2.text.syllables import phones

_HAN = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
# The dictionary has 一 and 不 changed in some words and not in others.
_BEFORE_SANDHI = {"一": "yi1", "不": "bu4"}
# They join what could be words of their own (看得见, 一只, 慢慢地), and are read as if they were.
_GRAMMATICAL = frozenset("得了着地只行")
_CONTEXT = 3  # words on either side; no rule looks further
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # no library takes half a character
_Token = tuple[int, str, str]  # where it begins, the word, its part of speech


def units(text: str) -> list[Unit]:
    """What is said of a Chinese text, in order. What nobody can read is left out.

    Raises VoiceError when rjieba or pypinyin is not installed.
    """
    text = _SURROGATE.sub(" ", text)
    found = mark_units(text)
    for phrase in _phrases(text):
        words = [word for word in _words(phrase) if word.syllables]
        neutral.reduce(words)
        sandhi.apply(words)
        found += [_unit(syllable) for word in words for syllable in word.syllables]
    return sorted(found, key=lambda unit: unit.begin)


def _unit(syllable: Syllable) -> Unit:
    pair = phones(syllable.pinyin)
    assert pair is not None  # _read gives no others
    return Unit(syllable.at, syllable.at + 1, syllable.char, pair, (syllable.tone,) * 2)


def _phrases(text: str) -> Iterator[list[_Token]]:
    """Words between pauses."""
    phrase: list[_Token] = []
    at = 0
    for word, tag in needs("rjieba").tag(text):
        begin, at = at, at + len(word)
        if _HAN.fullmatch(word):
            phrase.append((begin, word, tag))
        elif any(breaks(MARK_OF[c]) for c in word if c in MARK_OF):
            yield phrase
            phrase = []
        else:
            phrase += [(begin + m.start(), m[0], tag) for m in _HAN.finditer(word)]
    yield phrase


def _words(phrase: Sequence[_Token]) -> Iterator[Word]:
    told = [f"{word}/{tag}" for _, word, tag in phrase]
    for at, (begin, word, tag) in enumerate(phrase):
        left = " ".join(told[max(at - _CONTEXT, 0) : at])
        right = " ".join(told[at + 1 : at + 1 + _CONTEXT])
        yield Word(
            [
                Syllable(begin + offset, char, sound[:-1], int(sound[-1]), int(sound[-1]))
                for offset, (char, sound) in enumerate(
                    zip(word, _sounds(word, tag, left, right), strict=True)
                )
                if sound[-1:].isdecimal() and phones(sound[:-1]) is not None
            ],
            tag,
            _head(word),
        )


def _sounds(word: str, tag: str, left: str, right: str) -> list[str]:
    """The pinyin of each character, its tone as a digit behind it; "" for one nobody can read."""
    if len(word) == 1:
        return [reading(word, left, right) or _looked_up(word)[0]]
    sounds: list[str] = []
    for piece in _pieces(word):
        at = len(sounds)
        if len(piece) > 1:
            sounds += _looked_up(piece)
            continue
        sound = None
        if at and piece in _GRAMMATICAL and (piece != "地" or tag[:1] in ("d", "z")):
            rest = f"{word[at + 1 :]}/{tag} {right}" if at + 1 < len(word) else right
            sound = reading(piece, f"{left} {word[:at]}/{tag}".strip(), rest)
        sounds.append(sound or reading_inside(piece, first=not at) or _looked_up(piece)[0])
    return sounds


@lru_cache(maxsize=8192)
def _looked_up(piece: str) -> tuple[str, ...]:
    if (sounds := known_words().get(piece)) is not None:
        return sounds
    pypinyin = needs("pypinyin")
    sounds = tuple(
        pypinyin.lazy_pinyin(
            piece, style=pypinyin.Style.TONE3, neutral_tone_with_five=True, errors=_unknown
        )
    )
    if len(sounds) != len(piece):
        return ("",) * len(piece)
    return tuple(_BEFORE_SANDHI.get(c, s) for c, s in zip(piece, sounds, strict=True))


def _unknown(chars: str) -> list[str]:
    return [""] * len(chars)


@lru_cache(maxsize=8192)
def _pieces(word: str) -> tuple[str, ...]:
    """A word as far as it is in a dictionary of readings, else the longest parts that are."""
    pieces: list[str] = []
    at = 0
    while at < len(word):
        sizes = range(len(word) - at, 0, -1)
        at += next(size for size in sizes if size == 1 or _known(word[at : at + size]))
        pieces.append(word[sum(map(len, pieces)) : at])
    return tuple(pieces)


def _known(word: str) -> bool:
    found = word in known_words() or word in needs("pypinyin.constants").PHRASES_DICT
    return found and word not in APART


def _head(word: str) -> int:
    """1 for words such as 纸老虎, whose last two of three syllables are a word of their own."""
    known = needs("rjieba").has_word
    return 1 if len(word) == 3 and known(word[1:]) and not known(word[:2]) else 2
