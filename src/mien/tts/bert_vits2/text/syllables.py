"""A pinyin syllable as the phones of the opencpop-strict set: initial and final, always two.

Three things differ from the spelling: the vowel of zi, ci, si is ``i0`` and that of zhi, chi, shi,
ri is ``ir``; ju, qu, xu, yu have ``v`` (ü); ye and yan are ``E`` and ``En``. A syllable without an
initial gets a glottal one named after its vowel: ``AA``, ``EE`` or ``OO``.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)([aeiouv]+(?:ng|n|r)?)")
_GLOTTAL = {"a": "AA", "e": "EE", "o": "OO"}
_AFTER_Y = {"e": "E", "an": "En", "u": "v", "uan": "van", "ue": "ve", "un": "vn"}
_AFTER_PALATAL = {"u": "v", "uan": "van", "ue": "ve", "un": "vn"}
# Interjections that are written without a vowel, as the syllables they sound most like.
_WITHOUT_VOWEL = {"m": "en", "n": "en", "ng": "en", "hm": "hen", "hng": "heng"}


@lru_cache(maxsize=2048)
def phones(pinyin: str) -> tuple[str, str] | None:
    """Initial and final of a toneless syllable, ü written "v" ("lv"); None if it is no syllable."""
    pinyin = pinyin.replace("ü", "v").replace("ê", "ei" if pinyin == "ê" else "e")
    match = _SYLLABLE.fullmatch(_WITHOUT_VOWEL.get(pinyin, pinyin))
    if match is None:
        return None
    initial, final = match.groups()
    if not initial:
        return (_GLOTTAL[final[0]], final) if final[0] in _GLOTTAL else None
    if initial == "y":
        final = _AFTER_Y.get(final, final)
    elif initial in ("j", "q", "x"):
        final = _AFTER_PALATAL.get(final, final)
    elif final == "i" and initial in ("z", "c", "s"):
        final = "i0"
    elif final == "i" and initial in ("zh", "ch", "sh", "r"):
        final = "ir"
    elif final == "ue" and initial in ("l", "n"):
        final = "ve"
    return initial, final
