"""Photo or clip: told by what is in the file, whatever it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mien.avatar.image_header import HeaderError, image_size

HEAD_BYTES = 1_000_000  # cameras put previews and profiles before a JPEG's size
STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")


def kind_of(path: Path) -> Literal["photo", "clip"]:
    """ "photo" for still pictures, also of kinds that are refused as such; "clip" for all else.

    Raises OSError when the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    return kind_of_bytes(head)


def kind_of_bytes(head: bytes) -> Literal["photo", "clip"]:
    """As ``kind_of``, by the first bytes of a file."""
    try:
        image_size(head)
    except HeaderError:
        still = head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS
        damaged = head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n"))
        return "photo" if still or damaged else "clip"
    return "photo"
