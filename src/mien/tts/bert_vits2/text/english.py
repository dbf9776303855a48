"""English text to ARPAbet phones and tones, one unit per word.

Words are looked up; of the others, acronyms are spelt and names cut at their capitals (ChatGPT).
What is then unknown, somebody else has to say how it is pronounced.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from mien.tts.bert_vits2.text.arpabet import to_symbols
from mien.tts.bert_vits2.text.cmudict import pronunciation
from mien.tts.bert_vits2.text.marks import mark_units
from mien.tts.bert_vits2.text.phonemes import Unit

Pronunciations = Mapping[str, Sequence[str]]
"""CMU phones of words in lower case."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
# Acronyms that are words as well, in capitals.
_SPELT = frozenset("AI IT US WHO ID PR HR IP OS ML".split())
_LETTERS = {"a": ("EY1",), "w": tuple("D AH1 B AH0 L Y UW0".split())}
_PLURAL = {"S": ("IH0", "Z"), "Z": ("IH0", "Z"), "SH": ("IH0", "Z"), "CH": ("IH0", "Z")}
_VOICELESS = frozenset("P T K F TH".split())


def units(text: str, consonant_tone: int, pronounced: Pronunciations | None = None) -> list[Unit]:
    """What is said of an English text, in order; ``pronounced``: of words the dictionary lacks.

    consonant_tone: of everything but vowels and marks, see ``Scheme``.
    """
    words = []
    for match in _WORD.finditer(text):
        symbols, tones = to_symbols(_word(match[0], pronounced or {}), consonant_tone)
        if symbols:
            words.append(Unit(*match.span(), match[0], symbols, tuple(tones)))
    inside = {at for match in _WORD.finditer(text) for at in range(*match.span())}
    marks = [unit for unit in mark_units(text) if unit.begin not in inside]
    found = sorted([*words, *marks], key=lambda unit: unit.begin)
    return list(_spaced(text, found))


def unknown(text: str) -> list[str]:
    """The parts of words in ``text``, in lower case, that only ``pronounced`` can tell."""
    return [
        part.lower()
        for match in _WORD.finditer(text)
        for word in match[0].split("-")
        if _known(word) is None
        for part in _humps(word)
        if _known(part) is None
    ]


def _spaced(text: str, found: Sequence[Unit]) -> Iterator[Unit]:
    before = 0
    for unit in found:
        space = " " if text[before : unit.begin].isspace() and before else ""
        yield Unit(unit.begin, unit.stop, space + unit.text, unit.phones, unit.tones, unit.word)
        before = unit.stop


def _word(word: str, pronounced: Pronunciations) -> tuple[str, ...]:
    return tuple(chain.from_iterable(_part(part, pronounced) for part in word.split("-")))


def _part(word: str, pronounced: Pronunciations) -> Sequence[str]:
    if (phones := _known(word)) is not None:
        return phones
    humps = _humps(word)
    return tuple(
        chain.from_iterable(
            _known(part) or pronounced.get(part.lower()) or _spelt(part) for part in humps
        )
    )


def _known(word: str) -> tuple[str, ...] | None:
    """As the dictionary says it, also with 's, or letter by letter."""
    plain = _plain(word)
    if plain in _SPELT or (len(plain) == 1 and plain not in "aI"):
        return _spelt(plain)
    if (phones := pronunciation(plain.lower())) is not None:
        return phones
    stem, plural = re.fullmatch(r"(.*?)('?s)?", plain, re.DOTALL).groups()  # type: ignore[union-attr]
    if plural and stem and (plural == "'s" or stem.isupper()):
        said = _known(stem)
        return (*said, *_plural(said[-1])) if said else None
    # A vowel among four or more letters makes it a word: CUDA, VITS; but not GPT, HTML.
    if plain.isupper() and (len(plain) < 4 or not re.search("[AEIOUY]", plain)):
        return _spelt(plain)
    return None


def _plural(last: str) -> tuple[str, ...]:
    return _PLURAL.get(last, ("S",) if last in _VOICELESS else ("Z",))


def _spelt(word: str) -> tuple[str, ...]:
    letters = [c for c in _plain(word).lower() if "a" <= c <= "z"]
    return tuple(chain.from_iterable(_LETTERS.get(c) or pronunciation(c) or () for c in letters))


def _humps(word: str) -> list[str]:
    """ChatGPT → Chat GPT; a word without capitals inside is one."""
    plain = _plain(word).replace("'", "")
    return _HUMP.findall(plain) or [plain]


def _plain(word: str) -> str:
    """Without accents (café), with a straight apostrophe."""
    letters = unicodedata.normalize("NFKD", word.replace("’", "'"))
    return "".join(c for c in letters if not unicodedata.combining(c))
