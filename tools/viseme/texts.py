"""Sentences to be read aloud, from what Debian's fortune packages hold. Nothing of it is shipped.

apt-get download fortunes fortunes-min fortunes-zh && for d in *.deb; do dpkg -x $d texts; done
"""

from __future__ import annotations

import random
import re
from pathlib import Path

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ENGLISH = (
    "art computers cookie definitions education fortunes humorists law literature love "
    "medicine men-women miscellaneous news people pets platitudes politics riddles science "
    "sports wisdom work"
).split()
_CHINESE = ("chinese", "tang300", "song100")


def english(folder: Path) -> list[str]:
    """Plain sentences of 4…18 words, shuffled the same way each time."""
    found = set()
    for text in _read(folder, _ENGLISH):
        for line in re.split(r"(?<=[.!?])\s+", " ".join(text.split())):
            if re.fullmatch(r"[A-Z][A-Za-z',;? -]+[.!?]", line) and 4 <= len(line.split()) <= 18:
                found.add(line)
    return _shuffled(found)


def chinese(folder: Path) -> list[str]:
    """Sentences of 5…40 Han characters with their punctuation."""
    found = set()
    for text in _read(folder, _CHINESE):
        for line in re.split(r"(?<=[。！？])", re.sub(r"\s+", "", text)):
            if re.fullmatch(r"[\u4e00-\u9fff，、；：]{5,40}[。！？]", line):
                found.add(line)
    return _shuffled(found)


def _read(folder: Path, names: list[str] | tuple[str, ...]) -> list[str]:
    texts: list[str] = []
    for name in names:
        for path in sorted(p for p in folder.rglob(name) if p.is_file()):
            texts += _COLOUR.sub("", path.read_text(errors="ignore")).split("\n%\n")
    return texts


def _shuffled(lines: set[str]) -> list[str]:
    ordered = sorted(lines)
    random.Random(1).shuffle(ordered)
    return ordered
