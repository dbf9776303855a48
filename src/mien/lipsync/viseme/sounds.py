"""What the net tells apart: two dozen sounds, each with a look and one of fourteen visemes."""

from __future__ import annotations

from functools import lru_cache

from mien.lipsync.viseme.looks import LOOKS, SILENCE, Look, letters

# Named by a typical member in IPA. Sounds that look alike (m and b, s and ɕ) are kept apart
# where they sound different: a class that is one sound is learnt better than one that is two.
SOUNDS = (
    "", "m", "b", "f", "θ", "l", "t", "n", "k", "ŋ", "h", "s",
    "ɕ", "ʃ", "ɹ", "a", "æ", "ə", "ɛ", "ɪ", "i", "y", "ɔ", "u",
)  # fmt: skip
SILENT = SOUNDS.index("")
BILABIAL = (SOUNDS.index("m"), SOUNDS.index("b"))

VISEMES = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "RR", "aa", "E", "I", "O", "U",
)  # fmt: skip
_VISEME_OF = {
    "": "sil", "m": "PP", "b": "PP", "f": "FF", "θ": "TH", "l": "DD", "t": "DD", "n": "DD",
    "k": "kk", "ŋ": "kk", "h": "kk", "s": "SS", "ɕ": "SS", "ʃ": "CH", "ɹ": "RR", "a": "aa",
    "æ": "aa", "ə": "E", "ɛ": "E", "ɪ": "I", "i": "I", "y": "U", "ɔ": "O", "u": "U",
}  # fmt: skip
VISEME_OF_SOUND = tuple(VISEMES.index(_VISEME_OF[name]) for name in SOUNDS)
"""Index in ``VISEMES`` of each of ``SOUNDS``."""

_MEMBERS = {
    "m": "m", "b": "p b", "f": "f v ɱ ʋ", "θ": "θ ð", "l": "l ɫ ɭ ʎ", "t": "t d ɾ ʈ ɖ",
    "n": "n ɲ ɳ", "k": "k ɡ g q c ʔ", "ŋ": "ŋ", "h": "h ɦ x χ ɣ ʁ ʀ", "s": "s z ts dz",
    "ɕ": "ɕ ʑ ç tɕ dʑ", "ʃ": "ʃ ʒ ʂ ʐ tʃ dʒ tʂ", "ɹ": "ɹ r ɻ ɚ ɝ ɜ", "a": "a ɑ ʌ", "æ": "æ",
    "ə": "ə ɘ ɤ ɐ", "ɛ": "ɛ e", "ɪ": "ɪ ᵻ ɨ ɿ ʅ", "i": "i j", "y": "y ʏ ɥ ø œ",
    "ɔ": "ɔ o ɒ ɵ", "u": "u ʊ w ʍ ɯ",
}  # fmt: skip
SOUND_OF_LETTER = {
    letter: SOUNDS.index(name) for name, members in _MEMBERS.items() for letter in members.split()
}
LOOK_OF_SOUND: tuple[Look, ...] = tuple(LOOKS.get(name, SILENCE) for name in SOUNDS)


@lru_cache(maxsize=1024)
def sounds(symbol: str) -> tuple[tuple[int, float], ...]:
    """The sounds (indices in ``SOUNDS``) a phone goes through, with shares of its time.

    Empty for a symbol that cannot be read: who asks must skip it, for it may be anything.
    """
    found = letters(symbol)
    if found == (("", 1.0),):
        return ((SILENT, 1.0),)
    return tuple(
        (SOUND_OF_LETTER[letter], share) for letter, share in found if letter in SOUND_OF_LETTER
    )
