"""Pinyin as text that every voice reads aright: characters that have no other reading."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_SYLLABLE = r"[a-zü:]+[1-5]"
_PINYIN = re.compile(rf"\s*{_SYLLABLE}(?:[\s'’-]*{_SYLLABLE})*\s*", re.I)
_SYLLABLES = re.compile(_SYLLABLE)


@cache
def _homophones() -> dict[str, str]:
    """Characters of each syllable ("lv4"), commonest first; see tools/homophones.py."""
    lines = files("mien.tts").joinpath("homophones.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ") for line in lines)


def is_pinyin(text: str) -> bool:
    """Whether ``text`` is written as "chong2 qing4": syllables, each with its tone, 5 neutral."""
    return _PINYIN.fullmatch(text) is not None


def characters(pinyin: str, instead_of: str = "") -> str:
    """A character for each syllable. Those of ``instead_of`` that read so anyway stay.

    Raises:
        ValueError: naming a syllable that does not exist.
    """
    syllables = _SYLLABLES.findall(pinyin.lower().replace("u:", "v").replace("ü", "v"))
    kept = instead_of if len(instead_of) == len(syllables) else "\0" * len(syllables)
    return "".join(_character(*pair) for pair in zip(syllables, kept, strict=True))


def _character(syllable: str, wanted: str) -> str:
    choice = _homophones().get(syllable)
    if choice is None:
        raise ValueError(syllable)
    return wanted if wanted in choice else choice[0]
