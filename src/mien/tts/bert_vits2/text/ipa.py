"""Symbols of the voices as IPA, for the lips: what ``mien.lipsync.viseme`` reads.

Initials are aspirated or not, finals whole ("ian" is jɛn). The letters after y and w belong to
them: "y v" is the vowel y alone, and y before it only its narrow begin.
"""

from __future__ import annotations

from mien.tts.bert_vits2.text.symbols import MARKS, PAD, VoiceLanguage

_MANDARIN = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k",
    "k": "kʰ", "h": "x", "j": "tɕ", "q": "tɕʰ", "x": "ɕ", "zh": "tʂ", "ch": "tʂʰ", "sh": "ʂ",
    "r": "ʐ", "z": "ts", "c": "tsʰ", "s": "s", "y": "j", "w": "w", "AA": "ʔ", "EE": "ʔ",
    "OO": "ʔ", "a": "a", "ai": "aɪ", "an": "an", "ang": "ɑŋ", "ao": "ɑʊ", "e": "ɤ", "ei": "eɪ",
    "en": "ən", "eng": "əŋ", "er": "ɑɻ", "E": "ɛ", "En": "ɛn", "i": "i", "i0": "ɿ", "ir": "ʅ",
    "ia": "ja", "ian": "jɛn", "iang": "jɑŋ", "iao": "jɑʊ", "ie": "jɛ", "in": "in", "ing": "iŋ",
    "iong": "jʊŋ", "iu": "joʊ", "o": "wo", "ong": "ʊŋ", "ou": "oʊ", "u": "u", "ua": "wa",
    "uai": "waɪ", "uan": "wan", "uang": "wɑŋ", "ui": "weɪ", "un": "wən", "uo": "wo", "v": "y",
    "van": "ɥɛn", "ve": "ɥɛ", "vn": "yn",
}  # fmt: skip
_JAPANESE = {
    "N": "ŋ", "a": "a", "a:": "aː", "b": "b", "by": "bj", "ch": "tɕ", "d": "d", "dy": "dj",
    "e": "e", "e:": "eː", "f": "ɸ", "g": "ɡ", "gy": "ɡj", "h": "h", "hy": "ç", "i": "i",
    "i:": "iː", "j": "dʑ", "k": "k", "ky": "kj", "m": "m", "my": "mj", "n": "n", "ny": "ɲ",
    "o": "o", "o:": "oː", "p": "p", "py": "pj", "q": "ʔ", "r": "ɾ", "ry": "ɾj", "s": "s",
    "sh": "ɕ", "t": "t", "ts": "ts", "ty": "tj", "u": "ɯ", "u:": "ɯː", "w": "w", "y": "j",
    "z": "z", "zy": "zj",
}  # fmt: skip
_ENGLISH = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ay": "aɪ", "b": "b", "ch": "tʃ",
    "d": "d", "dh": "ð", "eh": "ɛ", "er": "ɝ", "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h",
    "ih": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n", "ng": "ŋ",
    "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ",
    "uh": "ʊ", "uw": "u", "V": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip
_TABLES: dict[VoiceLanguage, dict[str, str]] = {
    "zh": _MANDARIN,
    "ja": _JAPANESE,
    "en": _ENGLISH,
}
_SILENT = frozenset({"", PAD, *MARKS, "SP", "UNK"})


def ipa(phone: str, language: VoiceLanguage) -> str:
    """The sound of a symbol of ``SYMBOLS``; "" for silence: marks, the pad and blanks ("").

    Raises ValueError for a symbol the language does not have.
    """
    if phone in _SILENT:
        return ""
    try:
        return _TABLES[language][phone]
    except KeyError:
        raise ValueError(f"{phone!r} is no sound of {language!r}") from None
