from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.rtmp.chunks import ChunkError, ChunkReader, ChunkWriter, Message
from mien.media.rtmp.handshake import SIZE, Handshake, HandshakeError

DAY_MS = 24 * 3600 * 1000
# 24 bits are full after 4.66 hours, 32 after 49.7 days.
FULL_24, FULL_32 = 1 << 24, 1 << 32


def fed(reader: ChunkReader, data: bytes, pieces: int) -> list[Message]:
    """Fed in pieces of any size, as a network gives them."""
    chance = random.Random(pieces)
    places = sorted(chance.randrange(len(data) + 1) for _ in range(pieces))
    found = []
    for begin, end in zip([0, *places], [*places, len(data)], strict=True):
        found += reader.feed(data[begin:end])
    return found


@given(
    st.lists(st.tuples(st.integers(3, 63), st.integers(0, 700)), max_size=8),
    st.integers(1, 300),
    st.integers(0, 40),
)
def test_messages_come_back_whatever_the_sizes(
    shapes: list[tuple[int, int]], chunk_size: int, pieces: int
) -> None:
    writer, reader = ChunkWriter(), ChunkReader()
    said = Message(1, chunk_size.to_bytes(4, "big"))
    data = writer.write(2, said)
    writer.chunk_size = chunk_size
    sent = [said]
    for number, (chunk_stream, size) in enumerate(shapes):
        message = Message(9, bytes([number]) * size, 40 * number, 1)
        data += writer.write(chunk_stream, message)
        sent.append(message)
    assert fed(reader, data, pieces) == sent


@pytest.mark.parametrize("first", [0, 0xFFFFFE, 0xFFFFFF, FULL_24, 5 * DAY_MS, FULL_32 - 1])
@pytest.mark.parametrize("step", [0, 23, 40, 0xFFFFFE, 0xFFFFFF, FULL_24 + 1])
def test_time_stamps_beyond_24_and_32_bits(first: int, step: int) -> None:
    """Three messages of two chunks each, the last two by their distance."""
    writer, reader = ChunkWriter(), ChunkReader()
    times = [first, first + step, first + 2 * step]
    data = b"".join(writer.write(4, Message(8, bytes(200), time, 1)) for time in times)
    assert [m.timestamp for m in reader.feed(data)] == [time % FULL_32 for time in times]


def test_a_live_stream_never_needs_extended_stamps() -> None:
    """Servers disagree whether later chunks repeat them; ours has none however long it lasts."""
    writer = ChunkWriter()
    writer.write(6, Message(9, bytes(300), 0, 1))
    for time in (FULL_24 - 1, FULL_24 + 39, FULL_32 + 79):
        writer._last[6].timestamp = (time - 40) % FULL_32
        data = writer.write(6, Message(9, bytes(300), time, 1))
        assert data[0] == 0x40 | 6 and data[1:4] == (40).to_bytes(3, "big")
        assert data[8 + 128] == 0xC0 | 6 and data[8 + 128 + 1 + 128] == 0xC0 | 6


def test_a_stamp_of_the_past_is_sent_whole() -> None:
    writer, reader = ChunkWriter(), ChunkReader()
    data = writer.write(4, Message(8, b"a", 1000, 1)) + writer.write(4, Message(8, b"b", 980, 1))
    assert [m.timestamp for m in reader.feed(data)] == [1000, 980]


def test_two_chunk_streams_interleaved() -> None:
    writer, reader = ChunkWriter(), ChunkReader()
    sound = writer.write(4, Message(8, b"s" * 200, 10, 1))
    picture = writer.write(6, Message(9, b"p" * 200, 20, 1))
    cut, other = 12 + 128, 12 + 128
    mixed = sound[:cut] + picture[:other] + sound[cut:] + picture[other:]
    assert [(m.kind, len(m.payload), m.timestamp) for m in reader.feed(mixed)] == [
        (8, 200, 10),
        (9, 200, 20),
    ]


def test_headers_that_say_less_each_time() -> None:
    """Types 2 and 3 (a same length; a same everything) and ids of two and three bytes."""
    reader = ChunkReader()
    for basic, chunk_stream in ((b"\x00\x05", 69), (b"\x01\x05\x01", 325)):
        whole = basic + (100).to_bytes(3, "big") + b"\x00\x00\x02\x08" + b"\x01\0\0\0" + b"ab"
        third = bytes([basic[0] | 0x80]) + basic[1:] + (7).to_bytes(3, "big") + b"cd"
        same = bytes([basic[0] | 0xC0]) + basic[1:] + b"ef"
        found = reader.feed(whole + third + same)
        assert [(m.payload, m.timestamp, m.stream) for m in found] == [
            (b"ab", 100, 1),
            (b"cd", 107, 1),
            (b"ef", 114, 1),
        ], chunk_stream


def test_an_aborted_message_is_forgotten() -> None:
    writer, reader = ChunkWriter(), ChunkReader()
    begun = writer.write(4, Message(8, b"s" * 200, 10, 1))[: 12 + 128]
    abort = writer.write(2, Message(2, (4).to_bytes(4, "big")))
    again = ChunkWriter().write(4, Message(8, b"whole", 30, 1))
    assert [m.payload for m in reader.feed(begun + abort + again)][1:] == [b"whole"]


@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    try:
        ChunkReader().feed(data)
    except ChunkError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"\xc3abc",  # begins with "as before"
        b"\x03\0\0\0\xff\xff\xff\x14\0\0\0\0",  # 16 MB announced
        b"\x02\0\0\0\0\0\x04\x01\0\0\0\0" + bytes(4),  # chunks of nothing
        b"".join(bytes([0, i]) + bytes(11) for i in range(80)),  # more streams than sense
        b"\x03\0\0\0\0\0\xff\x14\0\0\0\0" + bytes(128) + b"\x03" + bytes(11),  # one in another
    ],
)
def test_hostile_chunks(data: bytes) -> None:
    with pytest.raises(ChunkError):
        ChunkReader().feed(data)


def server_hello() -> bytes:
    return b"\x03" + bytes(8) + b"r" * (SIZE - 8)


@given(st.lists(st.integers(1, 3200), max_size=5))
def test_the_handshake_in_pieces(sizes: list[int]) -> None:
    shake = Handshake()
    hello = shake.hello()
    assert hello[0] == 3 and len(hello) == 1 + SIZE
    incoming = server_hello() + hello[1:] + b"chunks"
    places = sorted({min(sum(sizes[: i + 1]), len(incoming)) for i in range(len(sizes))})
    answers, rest = b"", b""
    for begin, end in zip([0, *places], [*places, len(incoming)], strict=True):
        if begin == end:
            continue
        if shake.done:
            rest += incoming[begin:end]
            continue
        answer, left = shake.feed(incoming[begin:end])
        answers, rest = answers + answer, rest + left
    assert answers == server_hello()[1:] and rest == b"chunks" and shake.done


@pytest.mark.parametrize(("said", "tls"), [(b"HTTP/1.1 400", False), (b"\x15\x03\x01\x00", True)])
def test_another_protocol_is_recognised(said: bytes, tls: bool) -> None:
    with pytest.raises(HandshakeError) as caught:
        Handshake().feed(said)
    assert caught.value.tls is tls
