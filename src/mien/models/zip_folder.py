"""How large a zip's own list of files is, before anybody reads it into memory (APPNOTE, 4.3.16)."""

from __future__ import annotations

import os
import struct
from typing import IO

END = b"PK\x05\x06"
LONGEST_END = 22 + 0xFFFF


def folder_bytes(file: IO[bytes]) -> int:
    """Bytes of the central directory as the archive's end states them; 0xFFFFFFFF where the end is
    that of an archive with more entries than any model has. Raises ValueError without an end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LONGEST_END))
    tail = file.read(LONGEST_END)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        raise ValueError("it has no list of its files")
    (length,) = struct.unpack_from("<I", tail, at + 12)
    return int(length)
