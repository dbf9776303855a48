"""ARPAbet: from espeak-ng's English IPA, and to the symbols and tones of the voices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())

_OF_IPA = {
    "iː": "IY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "eɪ": "EY", "e": "EH", "ɛ": "EH",
    "æ": "AE", "a": "AE", "aː": "AA", "ɑː": "AA", "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ʌ": "AH",
    "ə": "AH", "ɔː": "AO", "ɔ": "AO", "oː": "AO", "o": "OW", "oʊ": "OW", "əʊ": "OW", "ʊ": "UH",
    "uː": "UW", "u": "UW", "y": "UW", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "ɜː": "ER", "ɜ": "ER",
    "ɚ": "ER", "ɝ": "ER", "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G",
    "ʔ": "T", "ɾ": "T", "tʃ": "CH", "dʒ": "JH", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S",
    "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "x": "K", "ç": "HH", "m": "M", "n": "N", "ŋ": "NG",
    "ɲ": "N", "l": "L", "ɫ": "L", "ɬ": "L", "ɹ": "R", "r": "R", "ʁ": "R", "j": "Y", "w": "W",
    "ʍ": "W", "m̩": "AH M", "n̩": "AH N", "l̩": "AH L",
}  # fmt: skip
_LONGEST = max(map(len, _OF_IPA))


def from_ipa(symbols: Iterable[str]) -> tuple[str, ...]:
    """CMU phones ("HH", "AH0", "L", "OW1") of IPA symbols with their stress ("ˈoʊ").

    What English does not have is left out.
    """
    phones: list[str] = []
    for symbol in symbols:
        stress = "1" if "ˈ" in symbol else "2" if "ˌ" in symbol else "0"
        letters = symbol.replace("ˈ", "").replace("ˌ", "")
        while letters:
            size = next((n for n in range(_LONGEST, 0, -1) if letters[:n] in _OF_IPA), 0)
            for phone in _OF_IPA.get(letters[:size], "").split():
                # Syllabic "AH L" and the second part of "IY AH" are never the stressed ones.
                phones.append(phone + stress if phone in VOWELS else phone)
                stress = "0" if phone in VOWELS else stress
            letters = letters[max(size, 1) :]
    return tuple(phones)


def to_symbols(phones: Sequence[str], consonant_tone: int) -> tuple[tuple[str, ...], list[int]]:
    """Symbols and tones of CMU phones: the tone of a vowel is its stress, 1 to 3."""
    symbols = [phone.rstrip("012") for phone in phones]
    tones = [int(p[-1]) + 1 if p[-1].isdigit() else consonant_tone for p in phones]
    return tuple("V" if symbol == "V" else symbol.lower() for symbol in symbols), tones
