"""How large a picture is, told by its first bytes.

Decoders allocate what a header promises: a file of a few kilobytes may claim a hundred megapixels.
"""

from __future__ import annotations

import struct


class HeaderError(ValueError):
    """Not the beginning of a JPEG, PNG or WebP picture."""


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of JPEG, PNG or WebP bytes, as stored (before any EXIF turn).

    Raises HeaderError.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            width, height = struct.unpack(">II", data[16:24])
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            width, height = _webp(data)
        elif data.startswith(b"\xff\xd8"):
            width, height = _jpeg(data)
        else:
            raise HeaderError("neither JPEG, PNG nor WebP")
    except (struct.error, IndexError):
        raise HeaderError("the picture ends within its header") from None
    if width == 0 or height == 0:
        raise HeaderError("the picture is empty")
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise HeaderError("unknown WebP")


def _jpeg(data: bytes) -> tuple[int, int]:
    """Walks over the segments to the frame header (SOF0…15 without DHT, JPG and DAC)."""
    at = 2
    while True:
        while data[at] != 0xFF:
            at += 1
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # no content
            continue
        if marker in (0xD9, 0xDA):  # end, or the picture itself before any frame header
            raise HeaderError("no frame header")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 3 : at + 7])
            return width, height
        at += struct.unpack(">H", data[at : at + 2])[0]
