"""What the front end makes of a clause: what the network is given, and how to find its way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.text.symbols import (
    BLANK_ID,
    ID_OF,
    LANGUAGE_ID,
    PAD,
    TONE_OFFSET,
    VoiceLanguage,
)

Ids = NDArray[np.int64]
_Item = TypeVar("_Item", str, int)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is pronounced together: a character, an English word or a mark.

    begin, stop: of the run's text, which it says; begin == stop for what says nothing of it.
    text: of it, as BERT reads it, with the space before it. tones: one per phone, as the language
        counts them. word: whether captions show it; marks are none.
    """

    begin: int
    stop: int
    text: str
    phones: tuple[str, ...]
    tones: tuple[int, ...]
    word: bool = True


@dataclass(frozen=True, slots=True)
class WordSpan:
    """``runs[run].text[begin:stop]`` is said by the ids first_phone…last_phone, both included.

    A Chinese "word" is one character, as in ``SpokenWord``.
    """

    run: int
    begin: int
    stop: int
    first_phone: int
    last_phone: int


@dataclass(frozen=True, slots=True)
class BertText:
    """What one run's BERT reads, and which ids get what it says of each part.

    spans: ``text[begin:stop]`` of each part, in order. counts: ids of each part, and before and
        after all parts of the marks BERT puts around a text: len(spans) + 2, sum = stop - begin.
    begin, stop: the ids of ``Phonemes`` that are this run's. scale: ids per phone, 2 with blanks.
    """

    language: VoiceLanguage
    text: str
    spans: tuple[tuple[int, int], ...]
    counts: tuple[int, ...]
    begin: int
    stop: int
    scale: int


@dataclass(frozen=True, eq=False)
class Phonemes:
    """A clause for the network: n symbols, in the order they are said.

    ids, tones, languages: int64[n]. phones: their names; "" is a blank, "_" the silence at both
    ends. spoken: the language each belongs to. Without anything to say, n is 0.
    """

    ids: Ids
    tones: Ids
    languages: Ids
    phones: tuple[str, ...]
    spoken: tuple[VoiceLanguage, ...]
    words: tuple[WordSpan, ...]
    texts: tuple[BertText, ...]

    def __len__(self) -> int:
        return len(self.phones)


@dataclass(slots=True)
class _Row:
    phones: list[str]
    ids: list[int]
    tones: list[int]
    languages: list[VoiceLanguage]

    def add(self, phone: str, tone: int, language: VoiceLanguage) -> None:
        self.phones.append(phone)
        self.ids.append(ID_OF[phone])
        self.tones.append(tone + TONE_OFFSET[language])
        self.languages.append(language)


def assemble(runs: list[tuple[int, VoiceLanguage, list[Unit]]], add_blank: bool) -> Phonemes:
    """One row of symbols from the units of each run (its number, its language).

    add_blank: a blank before each symbol and after the last, as ``data.add_blank`` of the voice's
        config.json says: it was trained so.
    """
    runs = [run for run in runs if any(unit.word for unit in run[2])]
    row = _Row([], [], [], [])
    words: list[WordSpan] = []
    texts: list[BertText] = []
    scale, shift = (2, 1) if add_blank else (1, 0)
    for at, (number, language, units) in enumerate(runs):
        first, last = at == 0, at == len(runs) - 1
        begin = 0 if first else len(row.phones) * scale + shift
        # The silence around a text stands once around the clause, not around each of its runs.
        if first:
            row.add(PAD, 0, language)
        counts = [scale + shift if first else 0]
        spans: list[tuple[int, int]] = []
        text = ""
        for unit in units:
            start = len(row.phones)
            for phone, tone in zip(unit.phones, unit.tones, strict=True):
                row.add(phone, tone, language)
            counts.append((len(row.phones) - start) * scale)
            spans.append((len(text), len(text) + len(unit.text)))
            text += unit.text
            if unit.word and len(row.phones) > start:
                bounds = (start * scale + shift, (len(row.phones) - 1) * scale + shift)
                words.append(WordSpan(number, unit.begin, unit.stop, *bounds))
        if last:
            row.add(PAD, 0, language)
        counts.append(scale if last else 0)
        stop = len(row.phones) * scale + shift
        texts.append(BertText(language, text, tuple(spans), tuple(counts), begin, stop, scale))
    return _finished(row, tuple(words), tuple(texts), add_blank)


def _finished(
    row: _Row, words: tuple[WordSpan, ...], texts: tuple[BertText, ...], add_blank: bool
) -> Phonemes:
    phones, ids, tones = row.phones, row.ids, row.tones
    spoken = row.languages
    languages = [LANGUAGE_ID[language] for language in spoken]
    if add_blank and phones:
        # A blank has language and tone 0 whatever is around it: VITS interleaves zeros.
        phones, ids = _interleaved(phones, ""), _interleaved(ids, BLANK_ID)
        tones, languages = _interleaved(tones, 0), _interleaved(languages, 0)
        spoken = [spoken[max(i - 1, 0) // 2] for i in range(len(phones))]
    return Phonemes(
        np.array(ids, np.int64),
        np.array(tones, np.int64),
        np.array(languages, np.int64),
        tuple(phones),
        tuple(spoken),
        words,
        texts,
    )


def _interleaved(items: list[_Item], between: _Item) -> list[_Item]:
    row = [between] * (2 * len(items) + 1)
    row[1::2] = items
    return row
