"""H.264 into RTP payloads and, by somebody else's depacketiser, back."""

from __future__ import annotations

import random

import pytest
from aiortc.codecs.h264 import h264_depayload

from mien.media.packetizer import MAX_PAYLOAD, h264_payloads

START = b"\x00\x00\x00\x01"


def unit(kind: int, size: int) -> bytes:
    """A NAL unit of ``size`` bytes without a start code in it."""
    body = random.Random(size).randbytes(size - 1).replace(b"\x00", b"\x01")
    return bytes([0x60 | kind]) + body


@pytest.mark.parametrize(
    "sizes",
    [
        [2],
        [MAX_PAYLOAD],
        [MAX_PAYLOAD + 1],
        [12, 4, 600, 5000],
        [12, 4, 30_000],
        [700, 700, 10, 10],
        [*[100] * 40],
        [MAX_PAYLOAD - 3, 2],
        [2000, 8, 9, 2000],
    ],
)
def test_what_is_cut_up_and_gathered_comes_back(sizes: list[int]) -> None:
    units = [unit(5 if size > 100 else 7, size) for size in sizes]
    payloads = h264_payloads(b"".join(START + one for one in units))
    assert max(map(len, payloads)) <= MAX_PAYLOAD
    assert b"".join(map(h264_depayload, payloads)) == b"".join(START + one for one in units)
    # Not many more than the bytes need.
    assert len(payloads) <= sum(sizes) // (MAX_PAYLOAD // 2) + len(sizes)


def test_equal_fragments_of_which_the_last_is_the_smallest() -> None:
    for size in range(MAX_PAYLOAD + 1, 6 * MAX_PAYLOAD, 97):
        lengths = [len(payload) for payload in h264_payloads(START + unit(1, size))]
        assert set(lengths[:-1]) == {lengths[0]} and lengths[-1] <= lengths[0]
        assert lengths[0] - lengths[-1] < len(lengths)
