"""A recogniser that knows a few dozen sentences in Chinese and English; see tools/tiny_asr.

It is a model for sherpa-onnx, small enough to be here: what needs real recognition, with partials
and in both languages, needs no download. It has heard espeak-ng (above all as mien speaks itself)
and, in English, flite; whatever else is said to it becomes some of its words.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mien.language import Language

FOLDER = Path(__file__).parent / "fixtures" / "ears" / "tiny-zh-en"

# In mien.toml, for a test that starts a server.
SETTINGS = {"asr": "tiny", "recognizers": {"tiny": {"service": "sherpa", "model": str(FOLDER)}}}


@cache
def sentences(language: Language) -> tuple[str, ...]:
    """What it understands, as the scripted brain's questions are written but without marks."""
    lines = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return tuple(text for own, text in rows if own == language)


def plain(text: str) -> str:
    """For comparing what was said with what was heard: lower case, no marks, no spaces."""
    return "".join(character for character in text.lower() if character.isalnum())
