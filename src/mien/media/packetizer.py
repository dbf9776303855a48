"""Encoded packets as RTP payloads: H.264 by RFC 6184, Opus by RFC 7587."""

from __future__ import annotations

import struct

from mien.media.annexb import nal_units

# With RTP header and extensions (28 bytes), SRTP (16), TURN (4), UDP and IPv6 (48): below 1280,
# which IPv6 demands of every link and many VPNs set; browsers send no more either.
MAX_PAYLOAD = 1180

_STAP_A = 24
_FU_A = 28
_TYPE, _NRI = 0x1F, 0x60
_START, _END = 0x80, 0x40


def h264_payloads(access_unit: bytes) -> list[bytes]:
    """Payloads of one picture (Annex B), each of at most :data:`MAX_PAYLOAD` bytes.

    Small NAL units share a packet (STAP-A, RFC 6184 §5.7.1), large ones are cut into equal parts
    (FU-A, §5.8); packetization-mode 1.
    """
    payloads: list[bytes] = []
    small: list[bytes] = []
    for unit in nal_units(access_unit):
        if _size([*small, unit]) > MAX_PAYLOAD and small:
            payloads.append(_aggregated(small))
            small = []
        if len(unit) > MAX_PAYLOAD:
            payloads += _fragmented(unit)
        else:
            small.append(unit)
    if small:
        payloads.append(_aggregated(small))
    return payloads


def _size(units: list[bytes]) -> int:
    """Of the STAP-A packet these units would make."""
    return 1 + sum(2 + len(unit) for unit in units)


def _aggregated(units: list[bytes]) -> bytes:
    if len(units) == 1:
        return units[0]
    importance = max(unit[0] & _NRI for unit in units)
    parts = [struct.pack("!H", len(unit)) + unit for unit in units]
    return bytes([importance | _STAP_A]) + b"".join(parts)


def _fragmented(unit: bytes) -> list[bytes]:
    indicator, kind = unit[0] & _NRI | _FU_A, unit[0] & _TYPE
    body = unit[1:]
    count = -(-len(body) // (MAX_PAYLOAD - 2))
    # Equal parts, the last a little smaller: what the system can send as one (UDP GSO).
    size = -(-len(body) // count)
    fragments = []
    for begin in range(0, len(body), size):
        header = kind | (_START if begin == 0 else 0) | (_END if begin + size >= len(body) else 0)
        fragments.append(bytes([indicator, header]) + body[begin : begin + size])
    return fragments


def opus_payloads(packet: bytes) -> list[bytes]:
    """One packet is one payload (RFC 7587 §4.2)."""
    return [packet]
