"""How Mandarin tones change in connected speech: 一, 不, the third tone.

After Chao, *A Grammar of Spoken Chinese* (1968), and Duanmu, *The Phonology of Standard Chinese*
(2007, ch. 11): third tones rise within feet of two, made inside words first, then of short
neighbours. Neutral tones (``neutral.py``) are known before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mien.tts.bert_vits2.text.symbols import NEUTRAL


@dataclass(slots=True)
class Syllable:
    """The character ``at`` of the text. tone: as it is said; base: what its neighbours heed (个 is
    neutral in 一个, but 一 changes as before a fourth tone; in 想想 the first still rises)."""

    at: int
    char: str
    pinyin: str
    tone: int
    base: int


@dataclass(slots=True)
class Word:
    """Syllables that belong together. tag: part of speech as jieba names it ("n", "v", "m").

    head: of a word of three, whether its first 1 or 2 syllables are a part of their own.
    """

    syllables: list[Syllable]
    tag: str
    head: int = 2

    @property
    def text(self) -> str:
        return "".join(s.char for s in self.syllables)


_DIGITS = frozenset("零〇一二两三四五六七八九幺")
_UNITS = frozenset("百千万亿")
# Words such as 这一 and 另一 end in 一, but it counts what comes next; after others (万一, 唯一,
# 星期一, 二十一) it is the end of a name or a number.
_COUNTING = frozenset("这那每某另任有又上下前后同")
_WORDS_IN_ONE = ("唯一", "统一", "万一", "之一")
_SUMS = frozenset("加减乘除比")
# A rank although nothing before it says so: January, the first floor, the first grade.
_RANKED = ("月", "号", "楼", "年级", "等奖")
_POINT_NEVER = frozenset("刻起定样般直到过些下")
# What 不 follows as "not"; between another verb and its outcome (看不见) it is neutral.
_NOT_AFTER = frozenset("并决绝从也都又就才还毫永要却可何岂既若再莫只这那我你他她它谁")


def apply(phrase: Sequence[Word]) -> None:
    """Set ``tone`` throughout a phrase, words with no pause between."""
    text = "".join(word.text for word in phrase)
    syllables = [syllable for word in phrase for syllable in word.syllables]
    at = 0
    for word in phrase:
        stop = at + len(word.syllables)
        for place in range(at, stop):
            syllable = syllables[place]
            after = syllables[place + 1] if place + 1 < len(syllables) else None
            if syllable.char == "一" and syllable.tone == 1:
                syllable.tone = _yi(text, place, at, stop, after)
            elif syllable.char == "不" and syllable.tone == 4:
                syllable.tone = _bu(text, place, at, stop, after)
        at = stop
    _third_tones(phrase)


def _yi(text: str, place: int, begin: int, stop: int, after: Syllable | None) -> int:
    before, following = text[:place], text[place + 1 :]
    if after is None or not following:
        return 1
    if before[-1:] == following[0] and not {before[-1], before[-2:-1]} & _DIGITS:
        return NEUTRAL  # 看一看, but not 一步一步
    if before.endswith(_WORDS_IN_ONE):
        return 2 if after.base == 4 else 4  # 唯一一个
    if following[0] in _DIGITS or before[-1:] in _DIGITS or before[-1:] in ("第", "初", "月"):
        return 1
    if before[-1:] == "十" or (following[0] == "十" and before[-1:] in _UNITS):
        return 1
    if place == stop - 1 > begin and before[-1] not in _COUNTING and following[0] not in _UNITS:
        return 1
    if before[-1:] == "点" and before[-2:-1] in _DIGITS and following[0] not in _POINT_NEVER:
        return 1  # 零点一秒
    if following[0] == "点" and following[1:2] in _DIGITS and not _clock(before, following):
        return 1  # 一点五米
    if following[0] in _SUMS and following[1:2] in _DIGITS:
        return 1  # 一加一
    if following.startswith(_RANKED) and before[-1:] not in _COUNTING:
        return 1
    return 2 if after.base == 4 else 4


def _clock(before: str, following: str) -> bool:
    """Whether 一点… is one o'clock and something, not one point something."""
    return "分" in following[:5] or before.endswith(("上午", "下午", "凌晨", "中午", "晚上"))


def _bu(text: str, place: int, begin: int, stop: int, after: Syllable | None) -> int:
    if after is None:
        return 4
    before = text[place - 1 : place]
    if before and before == after.char:
        return NEUTRAL  # 好不好
    if begin < place < stop - 1 and stop - begin == 3 and before not in _NOT_AFTER:
        return NEUTRAL  # 看不见, 对不起
    return 2 if after.base == 4 else 4


def _third_tones(phrase: Sequence[Word]) -> None:
    for word in phrase:
        for part in _parts(word):
            _rise(part)
        _rise(word.syllables)
    for foot in _feet(phrase):
        _rise([word.syllables[0] for word in foot])
    for left, right in pairwise(phrase):
        if len(left.syllables) + len(right.syllables) <= 3:
            _rise([left.syllables[-1], right.syllables[0]])


def _parts(word: Word) -> Iterator[list[Syllable]]:
    """Feet of a word: 展览馆 is 2 + 1 and rises twice, 纸老虎 1 + 2 and once; longer go by twos."""
    syllables = word.syllables
    at = 0
    while len(syllables) - at > 3:
        yield syllables[at : at + 2]
        at += 2
    if len(syllables) == 3 and word.head == 1:
        yield syllables[:1]
        at = 1
    yield syllables[at:]


def _feet(phrase: Sequence[Word]) -> Iterator[list[Word]]:
    """Words of one syllable in a row of third tones, by twos; three where that leaves none over."""
    row: list[Word] = []
    for word in [*phrase, None]:
        if word is not None and len(word.syllables) == 1 and word.syllables[0].tone == 3:
            row.append(word)
            continue
        while row:
            size = 3 if len(row) == 3 else 2
            yield row[:size]
            row = row[size:]


def _rise(syllables: Sequence[Syllable]) -> None:
    third = [s.tone == 3 or (s.tone == NEUTRAL and s.base == 3) for s in syllables]
    for at in range(len(syllables) - 1):
        if syllables[at].tone == 3 and third[at + 1]:
            syllables[at].tone = 2
