"""Which syllables of Mandarin are neutral: particles, suffixes, doubled verbs, listed words.

After the rules of 黄伯荣, 廖序东 (eds.), 现代汉语 (轻声), and ``neutral.txt``. What the
dictionary already reads with a neutral tone (桌子, 我们, 觉得) comes so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from mien.tts.bert_vits2.text.readings import lines
from mien.tts.bert_vits2.text.sandhi import Syllable, Word
from mien.tts.bert_vits2.text.symbols import NEUTRAL

_PARTICLES = {
    "的": "de", "了": "le", "着": "zhe", "么": "me", "们": "men", "吗": "ma", "呢": "ne",
    "吧": "ba", "嘛": "ma", "啦": "la", "呗": "bei", "喽": "lou", "咯": "lo", "嘞": "lei",
}  # fmt: skip
# At the end of a phrase; as interjections, at the front, they have tones.
_FINAL_PARTICLES = frozenset("啊呀哇哪啰哟呐")
# Doubled terms of kinship: the second is neutral, and the first does not rise before it (姐姐).
_KIN = frozenset("爸妈爷奶哥姐弟妹叔伯舅姑姨婶嫂姥公婆太娃宝星猩")
_GOING_AFTER = frozenset("上下进出回过起")
_COUNTS = frozenset("一二两三四五六七八九十百千万亿几这那哪每某整半多少")
_SIDES = frozenset("上下里外前后左右旁这那")
_MILES = frozenset({"公里", "英里", "海里", "华里"})
# Where 儿 is a child, not a suffix.
_CHILDREN = frozenset("女婴幼孤胎少健宠混生产男育患托")


@cache
def _words() -> frozenset[str]:
    return frozenset(word for line in lines("neutral.txt") for word in line)


def reduce(phrase: Sequence[Word]) -> None:
    """Make syllables neutral; ``base`` keeps what neighbours still heed."""
    for syllable in _found(phrase):
        syllable.tone = syllable.base = NEUTRAL
    for syllable, base in _found_heeded(phrase):
        syllable.tone, syllable.base = NEUTRAL, base


def _found(phrase: Sequence[Word]) -> Iterator[Syllable]:
    for at, word in enumerate(phrase):
        first, last = word.syllables[0], word.syllables[-1]
        alone = len(word.syllables) == 1
        for place, syllable in enumerate(word.syllables):
            # 了解, 目的: what is read otherwise is no particle. Nor is the first of a phrase.
            if (at or place) and _PARTICLES.get(syllable.char) == syllable.pinyin:
                yield syllable
        # 朋友, and 老朋友.
        if not alone and (word.text in _words() or word.text[-2:] in _words()):
            yield last
        if not alone and last.char == "儿" and word.syllables[-2].char not in _CHILDREN:
            yield last
        if len(word.syllables) > 2 and last.char == "里" and word.text[-2:] not in _MILES:
            yield last
        if not alone and last.char in "面边" and word.syllables[-2].char in _SIDES:
            yield last
        for one, two in pairwise(word.syllables):
            if one.char == two.char and one.char in _KIN:
                yield two
        if alone and at and word.tag in ("f", "s") and first.char in "上里":
            if phrase[at - 1].tag[:1] in ("n", "s", "r"):
                yield first
    if len(phrase) > 1 and phrase[-1].text in _FINAL_PARTICLES:
        yield phrase[-1].syllables[0]


def _found_heeded(phrase: Sequence[Word]) -> Iterator[tuple[Syllable, int]]:
    """Neutral ones whose own tone changes the one before: 一个 as before a fourth, 想想 a third."""
    before: Syllable | None = None
    tag = ""
    for word in phrase:
        first, last = word.syllables[0], word.syllables[-1]
        verb = word.tag[:1] == "v"
        if len(word.syllables) == 2 and first.char == last.char and verb:
            yield last, last.base
        elif len(word.syllables) == 1 and before is not None and before.char == first.char:
            if verb and tag[:1] == "v":
                yield first, first.base
        if len(word.syllables) == 2 and last.char in "来去" and first.char in _GOING_AFTER:
            yield last, last.base
        for syllable in word.syllables:
            if syllable.char == "个" and before is not None and before.char in _COUNTS:
                yield syllable, 4
            before = syllable
        tag = word.tag
