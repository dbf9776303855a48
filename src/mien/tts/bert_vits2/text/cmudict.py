"""The CMU Pronouncing Dictionary: how 125,000 English words are said, in ARPAbet with stress.

Copyright 1993-2015 Carnegie Mellon University, BSD licence (``cmudict.LICENSE``); packed by
``tools/pack_cmudict.py``.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

PACKED = Path(__file__).with_name("cmudict.z")
LICENSE = Path(__file__).with_name("cmudict.LICENSE")

_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
PHONES = (*_CONSONANTS, *(f"{vowel}{stress}" for vowel in _VOWELS for stress in "012"))
# One printable character per phone.
CODE_OF = {phone: chr(48 + index) for index, phone in enumerate(PHONES)}


def pronunciation(word: str) -> tuple[str, ...] | None:
    """The phones of a word in lower case, "AH0" being an unstressed one; None if it is not there.

    The first call reads the dictionary (20 ms); it stays in memory as 2 MB of text, for as a
    ``dict`` it would be 30.
    """
    data, key = _data(), word.encode() + b"\t"
    low, high = 0, len(data)
    while low < high:  # both are begins of lines, or the end
        start = max(low, data.rfind(b"\n", low, (low + high) // 2) + 1)
        stop = data.index(b"\n", start)
        line = data[start:stop]
        if line.startswith(key):
            return tuple(PHONES[code - 48] for code in line[len(key) :])
        if line < key:
            low = stop + 1
        else:
            high = start
    return None


@cache
def _data() -> bytes:
    return zlib.decompress(PACKED.read_bytes())
