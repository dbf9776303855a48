"""Picks the sentences of a passage that answer a question, so that they can be spoken."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mien.language import Language, detect_language
from mien.retrieval.index import Worth
from mien.retrieval.inline import plain
from mien.retrieval.sentences import sentences
from mien.retrieval.tokens import terms

# About half a minute of speech.
_LONGEST_ZH = 200  # characters
_LONGEST_EN = 60  # words
_MOST = 3
# What one more sentence must add, as a share of what the question is worth, to be worth listening
# to: else the answer to "how much" would go on until the limit.
_ADDS = 0.04

_ITEM = re.compile(r"^\s*(?:[-*+•·]|\d{1,3}[.)、])\s+")
_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_URL = re.compile(r"[(（<]?\b(?:https?://|www\.)[^\s，。；、）)>]+[)）>]?")
_EMPTY_PAIR = re.compile(r"[(（\[【]\s*[)）\]】]")
_GAP = re.compile(r"\s+(?=[。，；：！？,.;!?])")
# A sentence that begins so is not understood without the one before it.
_LEANS = re.compile(
    r"^(?:它|它们|这|这样|这时|那|此|但|但是|不过|所以|因此|而且|另外|否则|其中|同时"
    r"|(?:it|they|this|that|these|those|but|so|then|otherwise|also|there|both|its|their)\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[，；：,;:](?!\d)")
_ENDED = re.compile(r"[。！？.!?…][”’」』）)\"']*$")


def answer_of(text: str, asked: Sequence[Worth], language: Language) -> str:
    """One to three sentences of a passage that lie together and say most about a question.

    asked: the question, see ``Index.weigh``. language: of the passage if it
    shows none. Without markup, addresses or tables, 200 characters of Chinese or 60 words of
    English at most. "" if there is nothing to say.
    """
    said = speakable(text, detect_language(text, language))
    if not said:
        return ""
    present = [set(terms(sentence)) for sentence in said]
    whole = sum(need.worth for need in asked) or 1.0
    best, best_value = (0, 1), -1.0
    for begin in range(len(said)):
        known: set[str] = set()
        leans = begin > 0 and _LEANS.match(said[begin]) is not None
        for end in range(begin + 1, min(begin + _MOST, len(said)) + 1):
            if end > begin + 1 and _too_long(" ".join(said[begin:end])):
                break
            known |= present[end - 1]
            spoken_of = sum(need.worth * need.share(known) for need in asked) / whole
            value = spoken_of - _ADDS * (end - begin - 1 + leans)
            if value > best_value + 1e-9:
                best, best_value = (begin, end), value
    begin, end = best
    return _cut(_joined(said[begin:end]))


def speakable(text: str, language: Language) -> list[str]:
    """The sentences of a text as they can be spoken; the rows of a table as sentences."""
    found: list[str] = []
    header: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("|"):
            cells = [plain(cell) for cell in line.strip().strip("|").split("|")]
            if _RULE.match(line):
                continue
            if not header:
                header = cells
                continue
            found.append(_row(header, cells, language))
        else:
            header = []
            found += sentences(plain(_ITEM.sub("", line)).lstrip("#> \t"))
    tidy = (_GAP.sub("", _EMPTY_PAIR.sub("", _URL.sub("", s))).strip() for s in found)
    return [_ended(s, language) for s in tidy if re.search(r"\w", s)]


def _row(header: list[str], cells: list[str], language: Language) -> str:
    colon, comma = ("：", "，") if language == "zh" else (": ", ", ")
    named = [
        f"{name}{colon}{cell}" if name else cell
        for name, cell in zip(header + [""] * len(cells), cells, strict=False)
        if cell
    ]
    if len(named) == 2 and len(cells) == 2:  # of two columns the first is the name of the second
        return f"{cells[0]}{colon}{cells[1]}"
    return comma.join(named)


def _ended(sentence: str, language: Language) -> str:
    if _ENDED.search(sentence):
        return sentence
    return sentence.rstrip("，；：,;:、 ") + ("。" if language == "zh" else ".")


def _joined(said: list[str]) -> str:
    text = said[0]
    for sentence in said[1:]:
        text += ("" if text[-1] in "。！？…”」" else " ") + sentence
    return text


def _too_long(text: str) -> bool:
    if detect_language(text) == "zh":
        return len(text) > _LONGEST_ZH
    return len(text.split()) > _LONGEST_EN


def _cut(sentence: str) -> str:
    """A sentence that is too long, up to the last clause that fits."""
    if not _too_long(sentence):
        return sentence
    language = detect_language(sentence)
    if language == "en":
        longest = len(" ".join(sentence.split()[:_LONGEST_EN]))
    else:
        longest = _LONGEST_ZH - 1
    fits = sentence[:longest]
    ends = [m.start() for m in _CLAUSE.finditer(fits)]
    return _ended(fits[: ends[-1]] if ends and ends[-1] > longest // 3 else fits, language)
