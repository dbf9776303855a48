"""Phone names of the synthesizers → IPA as mien's mouth tables write it."""

from __future__ import annotations

_SILENCE = {"pau": "", "#": "", "sil": "", "_": "", "h#": "", "brth": "", "H#": "", "ssil": ""}

ARPABET = {
    **_SILENCE,
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ",
    "b": "b", "ch": "tʃ", "d": "d", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "l", "em": "m",
    "en": "n", "er": "ɚ", "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ",
    "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n", "nx": "n", "ng": "ŋ",
    "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ",
    "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip

BRITISH = {  # "mrpa", rab and don
    **_SILENCE,
    "p": "p", "t": "t", "k": "k", "b": "b", "d": "d", "g": "ɡ", "s": "s", "z": "z", "sh": "ʃ",
    "zh": "ʒ", "f": "f", "v": "v", "th": "θ", "dh": "ð", "ch": "tʃ", "jh": "dʒ", "h": "h",
    "m": "m", "n": "n", "ng": "ŋ", "l": "l", "y": "j", "r": "ɹ", "w": "w", "uu": "u", "ii": "i",
    "ai": "aɪ", "oi": "ɔɪ", "au": "aʊ", "ou": "oʊ", "e@": "ɛə", "i@": "ɪə", "u@": "ʊə",
    "uh": "ʌ", "o": "ɒ", "a": "æ", "aa": "ɑ", "e": "ɛ", "ei": "eɪ", "i": "ɪ", "u": "ʊ",
    "oo": "ɔ", "@@": "ə", "@": "ə",
}  # fmt: skip

# A trilled or tapped r sounds and looks like a quick d; calling it ɹ would mix two sounds.

ITALIAN = {
    **_SILENCE,
    "i": "i", "e": "e", "E": "ɛ", "a": "a", "o": "o", "O": "ɔ", "u": "u", "i1": "i", "e1": "e",
    "E1": "ɛ", "a1": "a", "o1": "o", "O1": "ɔ", "u1": "u", "j": "j", "w": "w", "p": "p", "t": "t",
    "k": "k", "b": "b", "d": "d", "g": "ɡ", "f": "f", "v": "v", "s": "s", "z": "z", "SS": "ʃ",
    "S": "ʃ", "ts": "ts", "dz": "dz", "tS": "tʃ", "dZ": "dʒ", "m": "m", "n": "n", "nf": "ɱ",
    "ng": "ŋ", "J": "ɲ", "l": "l", "L": "ʎ", "r": "ɾ",
}  # fmt: skip

CZECH = {
    **_SILENCE,
    "a": "a", "a:": "a", "e": "ɛ", "e:": "ɛ", "i": "ɪ", "i:": "i", "o": "o", "o:": "o", "u": "u",
    "u:": "u", "p": "p", "b": "b", "t": "t", "d": "d", "t~": "tɕ", "d~": "dʑ", "k": "k", "g": "ɡ",
    "f": "f", "v": "v", "s": "s", "z": "z", "s~": "ʃ", "z~": "ʒ", "ch": "x", "h": "ɦ", "c": "ts",
    "c~": "tʃ", "dz": "dz", "dz~": "dʒ", "m": "m", "n": "n", "n*": "ŋ", "n~": "ɲ", "l": "l",
    "r": "ɾ", "j": "j",
}  # fmt: skip

FINNISH = {
    **_SILENCE,
    **{v + long: ipa for long in ("", ":") for v, ipa in {
        "a": "ɑ", "e": "e", "i": "i", "o": "o", "u": "u", "y": "y", "{": "æ", "ae": "æ",
    }.items()},
    "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "g": "ɡ", "f": "f", "s": "s", "S": "ʃ",
    "h": "h", "m": "m", "n": "n", "N": "ŋ", "l": "l", "r": "ɾ", "j": "j", "v": "ʋ",
}  # fmt: skip

CATALAN = {
    **_SILENCE,
    "a": "a", "a1": "a", "e": "e", "e1": "e", "E": "ɛ", "E1": "ɛ", "i": "i", "i1": "i", "o": "o",
    "o1": "o", "O": "ɔ", "O1": "ɔ", "u": "u", "u1": "u", "ax": "ə", "p": "p", "b": "b", "t": "t",
    "d": "d", "k": "k", "g": "ɡ", "f": "f", "s": "s", "z": "z", "S": "ʃ", "Z": "ʒ", "ts": "ts",
    "dz": "dz", "tS": "tʃ", "dZ": "dʒ", "tZ": "dʒ", "m": "m", "n": "n", "N": "ŋ", "ng": "ŋ",
    "J": "ɲ", "l": "l", "L": "ʎ", "r": "ɾ", "rr": "ɾ", "j": "j", "w": "w", "y": "j", "x": "x",
}  # fmt: skip

# Mandarin in an English mouth: the sound of the set that looks the same.
MANDARIN_IN_ARPABET = {
    "p": "b", "pʰ": "p", "m": "m", "f": "f", "t": "d", "tʰ": "t", "n": "n", "l": "l", "k": "g",
    "kʰ": "k", "x": "hh", "h": "hh", "tɕ": "z", "tɕʰ": "s", "ɕ": "s", "tʂ": "jh", "tʂʰ": "ch",
    "ʂ": "sh", "ʐ": "zh", "ts": "z", "tsʰ": "s", "s": "s", "ŋ": "ng", "a": "aa", "ɑ": "aa",
    "o": "ao", "ɔ": "ao", "ɤ": "ax", "ə": "ax", "e": "eh", "ɛ": "eh", "i": "iy", "u": "uw",
    "y": "uw", "ɨ": "ih", "ɪ": "ih", "ʊ": "uh", "w": "w", "j": "y", "ɥ": "w", "ɚ": "er",
    "ɹ": "r", "æ": "ae", "": "pau",
}  # fmt: skip
MANDARIN_IN_BRITISH = {
    **MANDARIN_IN_ARPABET,
    "x": "h", "h": "h", "a": "aa", "o": "oo", "ɔ": "oo", "ɤ": "@", "ə": "@", "e": "e", "ɛ": "e",
    "i": "ii", "u": "uu", "y": "uu", "ɨ": "i", "ɪ": "i", "ʊ": "u", "ɥ": "w", "ɚ": "@@", "æ": "a",
    "": "#",
}  # fmt: skip
