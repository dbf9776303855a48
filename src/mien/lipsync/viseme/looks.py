"""How each speech sound looks: IPA (as espeak-ng writes English and Mandarin) → mouth targets."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Look:
    """The mouth a sound aims at.

    openness, rounding: as in ``MouthShape``. dominance: 0…1, how much the sound insists on them
    against its neighbours (a velar takes the neighbours' lips, a rounded vowel gives its own).
    consonant, grip: as in ``MouthShape``. vowel: whether it takes a vowel's share of time.
    """

    openness: float
    rounding: float
    dominance: float
    consonant: str = ""
    grip: float = 0.0
    vowel: bool = False


SILENCE = Look(0.0, 0.0, 0.5)
UNKNOWN = Look(0.25, 0.0, 0.3)


def _vowel(openness: float, rounding: float, dominance: float = 1.0) -> Look:
    return Look(openness, rounding, dominance, vowel=True)


_PP = Look(0.0, 0.0, 0.4, "PP", 1.0)
_FF = Look(0.15, 0.0, 0.4, "FF", 1.0)
_TH = Look(0.28, 0.0, 0.4, "TH", 0.9)
_L = Look(0.30, 0.0, 0.3, "TH", 0.6)
_T = Look(0.18, -0.2, 0.35, "SS", 0.5)
_N = Look(0.22, -0.1, 0.3, "SS", 0.35)
_S = Look(0.14, -0.4, 0.6, "SS", 0.9)
_SH = Look(0.18, 0.6, 0.7, "CH", 0.9)
_R = Look(0.22, 0.5, 0.5, "CH", 0.4)
_PALATAL = Look(0.16, -0.5, 0.6, "SS", 0.75)  # Mandarin j q x: teeth close, lips spread
_VELAR = Look(0.28, 0.0, 0.15)
_BREATH = Look(0.35, 0.0, 0.1)

# Written out longest first where several letters are one sound.
LOOKS: dict[str, Look] = {
    "tʃ": _SH,
    "dʒ": _SH,
    "tʂ": _SH,
    "ts": _S,
    "dz": _S,
    "tɕ": _PALATAL,
    "dʑ": _PALATAL,
    "s": _S,
    "z": _S,
    "ʃ": _SH,
    "ʒ": _SH,
    "ʂ": _SH,
    "ʐ": _SH,
    "ɕ": _PALATAL,
    "ʑ": _PALATAL,
    "ç": _PALATAL,
    "p": _PP,
    "b": _PP,
    "m": _PP,
    "f": _FF,
    "v": _FF,
    "ɱ": _FF,
    "ʋ": _FF,
    "θ": _TH,
    "ð": _TH,
    "l": _L,
    "ɫ": _L,
    "ɭ": _L,
    "ʎ": _L,
    "t": _T,
    "d": _T,
    "ɾ": _T,
    "ʈ": _T,
    "ɖ": _T,
    "n": _N,
    "ɲ": _N,
    "ɳ": _N,
    "ɹ": _R,
    "r": _R,
    "ɻ": _R,
    "ʁ": _VELAR,
    "ʀ": _VELAR,
    "k": _VELAR,
    "ɡ": _VELAR,
    "g": _VELAR,
    "q": _VELAR,
    "c": _VELAR,
    "ŋ": _VELAR,
    "x": _VELAR,
    "χ": _VELAR,
    "ɣ": _VELAR,
    "h": _BREATH,
    "ɦ": _BREATH,
    "ʔ": Look(0.2, 0.0, 0.05),
    "j": Look(0.18, -0.7, 0.4),
    "w": Look(0.10, 1.0, 0.9),
    "ɥ": Look(0.12, 0.95, 0.9),
    "ʍ": Look(0.10, 1.0, 0.9),
    "a": _vowel(0.78, -0.05),
    "ɑ": _vowel(0.78, 0.10),
    "ɐ": _vowel(0.62, 0.0, 0.8),
    "æ": _vowel(0.70, -0.5),
    "ʌ": _vowel(0.60, 0.0),
    "ɒ": _vowel(0.68, 0.45),
    "ɔ": _vowel(0.58, 0.65),
    "o": _vowel(0.44, 0.80),
    "ɵ": _vowel(0.36, 0.6),
    "ɤ": _vowel(0.42, -0.15),
    "ə": _vowel(0.36, 0.0, 0.5),
    "ɘ": _vowel(0.32, -0.1, 0.6),
    "ɜ": _vowel(0.42, 0.15),
    "ɚ": _vowel(0.40, 0.30),
    "ɝ": _vowel(0.42, 0.30),
    "ɛ": _vowel(0.56, -0.40),
    "e": _vowel(0.44, -0.60),
    "ø": _vowel(0.34, 0.75),
    "œ": _vowel(0.46, 0.65),
    "ɪ": _vowel(0.30, -0.50, 0.8),
    "i": _vowel(0.20, -0.90),
    "ᵻ": _vowel(0.26, -0.35, 0.6),
    "ɨ": _vowel(0.22, -0.45, 0.8),
    "ɿ": _vowel(0.18, -0.45, 0.8),
    "ʅ": _vowel(0.20, 0.15, 0.8),
    "y": _vowel(0.18, 0.90),
    "ʏ": _vowel(0.24, 0.80),
    "ʊ": _vowel(0.28, 0.75),
    "u": _vowel(0.18, 1.0),
    "ɯ": _vowel(0.22, -0.35),
}
_LONGEST = max(map(len, LOOKS))
# Marks that do not change how a sound looks: stress, length, tones, aspiration, ties.
_IGNORED = set("ˈˌːˑ.-_|^'\"~,;:!?*0123456789˥˦˧˨˩ʰʱʲˠˤʼ()[]↓↑ ")
# Letters of no entry that look like one that has.
_ALIKE = {"ʷ": "w", "ɬ": "l", "ɮ": "l", "β": "b", "ɸ": "f", "ɓ": "b", "ʙ": "b", "ɟ": "j", "ʝ": "j"}


@lru_cache(maxsize=1024)
def looks(symbol: str) -> tuple[tuple[Look, float], ...]:
    """The looks a phone goes through, with shares of its time that sum to 1.

    A diphthong or a whole Mandarin final gives several. "" and bare punctuation are silence; a
    symbol with no known letter gives ``UNKNOWN`` (slightly open), never an error.
    """
    return tuple(
        (SILENCE if letter == "" else LOOKS.get(letter, UNKNOWN), share)
        for letter, share in letters(symbol)
    )


@lru_cache(maxsize=1024)
def letters(symbol: str) -> tuple[tuple[str, float], ...]:
    """The keys of ``LOOKS`` a phone is written with, with shares of its time that sum to 1.

    "" for silence; a symbol with no known letter is given back whole.
    """
    plain = _plain(symbol)
    found: list[str] = []
    i = 0
    while i < len(plain):
        for length in range(min(_LONGEST, len(plain) - i), 0, -1):
            if (letter := plain[i : i + length]) in LOOKS:
                found.append(letter)
                i += length
                break
        else:
            i += 1
    if not found:
        return ((plain, 1.0),)
    # Vowels take most of the time of a syllable; of two, the first is the longer.
    sizes = [(1.0 if LOOKS[c].vowel else 0.45) * 0.9**k for k, c in enumerate(found)]
    total = sum(sizes)
    return tuple((c, size / total) for c, size in zip(found, sizes, strict=True))


def _plain(symbol: str) -> str:
    # The cedilla would be dropped as a mark, and leave a velar.
    plain = unicodedata.normalize("NFD", symbol.replace("ç", "ɕ"))
    kept = (c for c in plain if c not in _IGNORED and not unicodedata.combining(c))
    return "".join(_ALIKE.get(c, c) for c in kept)
