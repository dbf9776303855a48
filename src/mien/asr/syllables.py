"""How a Chinese character is read, for those that have one reading."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_INITIALS = "zh ch sh b p m f d t n l g k h j q x r z c s y w".split()
_MARKED = {
    "a": "āáǎà", "e": "ēéěè", "i": "īíǐì", "o": "ōóǒò", "u": "ūúǔù", "ü": "ǖǘǚǜ"
}  # fmt: skip


def syllable(character: str) -> str | None:
    """Pinyin with its tone as a digit, "mei2"; None for a character with several readings, unless
    pypinyin is there to say which is the usual one."""
    if (found := _readings().get(character)) is not None:
        return found
    try:
        from pypinyin import Style, pinyin
    except ImportError:
        return None
    reading = pinyin(character, style=Style.TONE3, neutral_tone_with_five=True)[0][0]
    return None if reading == character else str(reading)


def parts(reading: str) -> list[str]:
    """Initial and final as tokens of keyword models have them: "mei2" → "m", "éi"."""
    letters, tone = reading.rstrip("12345").replace("v", "ü"), int(reading[-1])
    initial = next((one for one in _INITIALS if letters.startswith(one)), "")
    final = _with_mark(letters.removeprefix(initial), tone)
    return [part for part in (initial, final) if part]


def _with_mark(final: str, tone: int) -> str:
    """The tone over the vowel that carries it (Scheme for the Chinese Phonetic Alphabet, 1958)."""
    if tone == 5:
        return final
    for vowel in ("a", "e", "ou"):
        if vowel in final:
            return final.replace(vowel[0], _MARKED[vowel[0]][tone - 1], 1)
    last = next((one for one in reversed(final) if one in _MARKED), None)
    if last is None:
        return final
    at = final.rindex(last)
    return final[:at] + _MARKED[last][tone - 1] + final[at + 1 :]


@cache
def _readings() -> dict[str, str]:
    lines = files("mien.tts").joinpath("homophones.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split(" ") for line in lines)
    return {character: reading for reading, characters in rows for character in characters}
