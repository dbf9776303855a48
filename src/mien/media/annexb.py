"""H.264 as encoders give it (Annex B, start codes) and as containers take it (with lengths).

ITU-T H.264, 7.3.1 and Annex B; ISO/IEC 14496-15, 5.3.3.1 (``avcC``). MP4, FLV and WebSocket
players all want the second form.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mien.media.sps import SpsInfo, parse_sps

_START = b"\x00\x00\x01"

_SPS = 7
_PPS = 8
_ACCESS_UNIT_DELIMITER = 9
_FILLER = 12

# Profiles whose configuration record says chroma format and bit depths as well.
_HIGH_PROFILES = {100, 110, 122, 144}


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, without start codes."""
    units = []
    begin = data.find(_START)
    while begin >= 0:
        begin += len(_START)
        end = data.find(_START, begin)
        # A unit never ends in a zero byte: those belong to the next, longer start code.
        unit = (data[begin:] if end < 0 else data[begin:end]).rstrip(b"\x00")
        if unit:
            units.append(unit)
        begin = end
    return units


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """What a decoder must know before the first picture: one SPS and its PPS."""

    sps: bytes
    pps: bytes

    @property
    def info(self) -> SpsInfo:
        return parse_sps(self.sps)

    @property
    def codec(self) -> str:
        """As browsers name it (RFC 6381), for example ``avc1.42C01F``."""
        return f"avc1.{self.sps[1:4].hex().upper()}"

    def configuration(self) -> bytes:
        """The AVCDecoderConfigurationRecord, with lengths of four bytes."""
        head = b"\x01" + self.sps[1:4] + b"\xff"
        sets = b"\xe1" + struct.pack(">H", len(self.sps)) + self.sps
        sets += b"\x01" + struct.pack(">H", len(self.pps)) + self.pps
        info = self.info
        if info.profile not in _HIGH_PROFILES:
            return head + sets
        depths = (0xF8 | info.luma_bits - 8, 0xF8 | info.chroma_bits - 8)
        return head + sets + bytes([0xFC | info.chroma_format, *depths, 0])


def parameter_sets(keyframe: bytes) -> ParameterSets:
    """Those of a key frame in Annex B.

    Raises:
        ValueError: when it carries none.
    """
    sps = pps = None
    for unit in nal_units(keyframe):
        kind = unit[0] & 0x1F
        sps = unit if kind == _SPS else sps
        pps = unit if kind == _PPS else pps
    if sps is None or pps is None:
        raise ValueError("this H.264 packet carries no parameter sets (SPS and PPS)")
    return ParameterSets(sps, pps)


def with_lengths(data: bytes, known: ParameterSets) -> bytes:
    """An Annex B access unit as a sample of MP4 or FLV: each NAL unit behind its length (4 bytes).

    Delimiters, padding and the parameter sets that the decoder has been given (``known``) are
    left out; others stay, so that an encoder that began anew is understood all the same.
    """
    parts = []
    for unit in nal_units(data):
        if unit[0] & 0x1F in (_ACCESS_UNIT_DELIMITER, _FILLER) or unit in (known.sps, known.pps):
            continue
        parts += [struct.pack(">I", len(unit)), unit]
    return b"".join(parts)
