"""Text inside H.264 pictures, for streams without a container that could hold it.

Supplemental enhancement information, "user data unregistered" (ITU-T H.264, D.1.7): decoders that
do not know whose it is pass over it.
"""

from __future__ import annotations

# Says that the text is ours; made at random, once.
IDENTITY = bytes.fromhex("6d69656e7f4a4c17a2b55e91c3d8f046")

_SEI, _USER_DATA_UNREGISTERED = 6, 5


def with_text(access_unit: bytes, text: str) -> bytes:
    """An Annex B access unit with ``text`` before its first slice; ``text`` is plain ASCII.

    Raises ValueError for other text: its bytes could look like a start code.
    """
    if not text.isascii() or "\0" in text:
        raise ValueError("only plain ASCII goes into a picture")
    at = _first_slice(access_unit)
    if at is None:
        return access_unit
    payload = IDENTITY + text.encode()
    size = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    unit = bytes([_SEI, _USER_DATA_UNREGISTERED]) + size + payload + b"\x80"
    return access_unit[:at] + b"\0\0\0\1" + unit + access_unit[at:]


def _first_slice(access_unit: bytes) -> int | None:
    """Where its start code is. Slices are NAL units of type 1 to 5."""
    at = access_unit.find(b"\0\0\1")
    while at >= 0:
        if at + 3 < len(access_unit) and 1 <= access_unit[at + 3] & 0x1F <= 5:
            return at - (at > 0 and access_unit[at - 1] == 0)
        at = access_unit.find(b"\0\0\1", at + 3)
    return None
