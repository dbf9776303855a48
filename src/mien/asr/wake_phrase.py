"""A wake phrase at the beginning of what somebody said, however a recogniser spells it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mien.asr.syllables import syllable

_HAN = r"[\u3400-\u9fff]"
_UNIT = re.compile(rf"{_HAN}|[a-z0-9]+(?:['’][a-z]+)*", re.I)
# What people say before a name without meaning anything by it.
_CALLS = {*"嗯啊哎诶喂嘿嗨哈", "hey", "hi", "hello", "ok", "okay", "oh", "um", "uh", "well", "so"}
_CALLS_AT_MOST = 2
_AFTER = " \t\n,.!?;:，。！？；：、…~～-"


@dataclass(frozen=True, slots=True)
class _Unit:
    """A character or a word. sound: what it is compared by. end: in the text."""

    text: str
    sound: str
    end: int


class WakePhrases:
    """phrases: as they are written in the settings, e.g. "小眉" or "hey Mei"."""

    def __init__(self, phrases: Sequence[str]) -> None:
        _sound("reads the dictionary")
        self._phrases = [[unit.sound for unit in _units(phrase)] for phrase in phrases]
        # The longest first: of "小眉" and "小眉小眉" the second leaves less of the text.
        self._phrases = sorted(filter(None, self._phrases), key=len, reverse=True)

    def in_text(self, text: str) -> str | None:
        """The rest of ``text`` after the phrase that it begins with, "" when there is no more; None
        where it begins with none. One or two calls ("hey", "嗯") may come before.

        Chinese is compared by syllables without their tones, English by pronunciation, because a
        recogniser writes names as the words that it knows: 小美 for 小眉, "may" for "Mei".
        """
        units = _units(text)
        for skipped in range(_CALLS_AT_MOST + 1):
            heard = [unit.sound for unit in units[skipped:]]
            for phrase in self._phrases:
                if heard[: len(phrase)] == phrase:
                    end = units[skipped + len(phrase) - 1].end
                    return text[end:].lstrip(_AFTER).rstrip()
            if len(units) <= skipped or units[skipped].text not in _CALLS:
                return None
        return None


def _units(text: str) -> list[_Unit]:
    found = (match for match in _UNIT.finditer(text))
    return [_Unit(m[0].lower(), _sound(m[0].lower()), m.end()) for m in found]


def _sound(unit: str) -> str:
    if re.match(_HAN, unit):
        return (syllable(unit) or unit).rstrip("12345")
    # Imported when a phrase is made, not with the server: its package takes a moment.
    from mien.tts.bert_vits2.text.cmudict import pronunciation

    phones = pronunciation(unit)
    return unit if phones is None else " ".join(phone.rstrip("012") for phone in phones)
