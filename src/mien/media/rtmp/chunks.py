"""RTMP's chunk stream: messages cut into chunks and put together again (RTMP 1.0, §5.3, §5.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

# Until either side says otherwise.
DEFAULT_CHUNK_SIZE = 128
# Sound waits for a picture that is being sent; large chunks only save the other side some work.
# What OBS sends, so every server knows it.
CHUNK_SIZE = 4096
# A server talks to a publisher in a few hundred bytes.
MAX_MESSAGE = 1 << 20
MAX_CHUNK_STREAMS = 64

_EXTENDED = 0xFFFFFF
_WRAP = 1 << 32
_HALF = 1 << 31

SET_CHUNK_SIZE = 1
ABORT = 2


class ChunkError(ValueError):
    """These bytes are no RTMP chunk stream."""


@dataclass(frozen=True, slots=True)
class Message:
    """kind: message type id (§5.4, §7.1). timestamp: ms, 32 bits, wrapping. stream: message
    stream id, 0 for the connection itself."""

    kind: int
    payload: bytes
    timestamp: int = 0
    stream: int = 0


@dataclass(slots=True)
class _Sent:
    """The last message on a chunk stream."""

    kind: int
    length: int
    stream: int
    timestamp: int


class ChunkWriter:
    """Messages → bytes.

    Later messages of a chunk stream are stamped by their distance to the one before (chunk type
    1). Thus no stamp of a live stream ever needs its extended form, on which servers disagree
    (whether chunks of type 3 repeat it), not even after 4.6 hours, when 24 bits are full; and when
    32 bits wrap, after 49.7 days, nobody sees a jump.
    """

    def __init__(self) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self._last: dict[int, _Sent] = {}

    def write(self, chunk_stream: int, message: Message) -> bytes:
        """The chunks of ``message`` on a chunk stream, 2…63.

        A stamp before the last one on the chunk stream is sent as it is (chunk type 0).
        """
        timestamp = message.timestamp % _WRAP
        last = self._last.get(chunk_stream)
        payload = message.payload
        delta = (timestamp - last.timestamp) % _WRAP if last else 0
        body = len(payload).to_bytes(3, "big") + bytes([message.kind])
        if last is None or last.stream != message.stream or delta >= _HALF:
            kind, value = 0, timestamp
            body += struct.pack("<I", message.stream)
        else:
            kind, value = 1, delta
        extended = value.to_bytes(4, "big") if value >= _EXTENDED else b""
        head = bytes([kind << 6 | chunk_stream]) + min(value, _EXTENDED).to_bytes(3, "big")
        self._last[chunk_stream] = _Sent(message.kind, len(payload), message.stream, timestamp)
        parts = [head, body, extended, payload[: self.chunk_size]]
        for at in range(self.chunk_size, len(payload), self.chunk_size):
            parts += [bytes([0xC0 | chunk_stream]), extended, payload[at : at + self.chunk_size]]
        return b"".join(parts)


@dataclass(slots=True)
class _Incoming:
    """What is known of a chunk stream, and the message being put together on it."""

    length: int = 0
    kind: int = 0
    stream: int = 0
    timestamp: int = 0
    delta: int = 0
    extended: bool = False
    part: bytearray | None = None


@dataclass(frozen=True, slots=True)
class _Header:
    """One chunk's headers. end: where its payload begins."""

    form: int
    chunk_stream: int
    stamp: int
    extended: bool
    fields: bytes
    end: int


class ChunkReader:
    """Bytes → messages, however the bytes come. Set Chunk Size and Abort act here and are given
    to the caller as well.
    """

    def __init__(self) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self._data = bytearray()
        self._streams: dict[int, _Incoming] = {}

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes.

        Raises:
            ChunkError: the stream cannot be understood any more.
        """
        self._data += data
        messages: list[Message] = []
        at = 0
        while (header := self._header(at)) is not None:
            incoming = self._announced(header)
            taken = min(self.chunk_size, incoming.length - len(incoming.part or b""))
            if len(self._data) < header.end + taken:
                break
            at = header.end + taken
            if (message := self._take(header, incoming, self._data[header.end : at])) is not None:
                messages.append(message)
        del self._data[:at]
        return messages

    def _header(self, at: int) -> _Header | None:
        """Basic header, message header and extended time stamp at ``at``, if they are there."""
        data = self._data
        if at >= len(data):
            return None
        form, chunk_stream = data[at] >> 6, data[at] & 0x3F
        at += 1
        if chunk_stream < 2:  # 0: one more byte says which, 1: two
            more = chunk_stream + 1
            if len(data) < at + more:
                return None
            chunk_stream = 64 + int.from_bytes(data[at : at + more], "little")
            at += more
        fields = bytes(data[at : at + (11, 7, 3, 0)[form]])
        end = at + (11, 7, 3, 0)[form]
        if len(data) < end:
            return None
        stamp = int.from_bytes(fields[:3], "big")
        known = self._streams.get(chunk_stream)
        extended = stamp == _EXTENDED if form < 3 else known is not None and known.extended
        if extended:
            stamp = int.from_bytes(data[end : end + 4], "big")
            end += 4
            if len(data) < end:
                return None
        return _Header(form, chunk_stream, stamp, extended, fields, end)

    def _announced(self, header: _Header) -> _Incoming:
        """What a chunk with this header belongs to; nothing is kept before it is complete."""
        known = self._streams.get(header.chunk_stream)
        if known is None:
            if header.form != 0:
                raise ChunkError("the first chunk of a chunk stream does not say what it is")
            if len(self._streams) >= MAX_CHUNK_STREAMS:
                raise ChunkError("more chunk streams than a server needs")
        elif header.form != 3 and known.part is not None:
            raise ChunkError("a message began before the one on its chunk stream was complete")
        incoming = replace(known) if known else _Incoming()
        if header.form < 2:
            incoming.length = int.from_bytes(header.fields[3:6], "big")
            incoming.kind = header.fields[6]
        if header.form == 0:
            incoming.stream = int.from_bytes(header.fields[7:11], "little")
        if incoming.length > MAX_MESSAGE:
            raise ChunkError(f"a message of {incoming.length} bytes: a server has less to say")
        return incoming

    def _take(self, header: _Header, incoming: _Incoming, payload: bytearray) -> Message | None:
        if header.form == 0:
            incoming.timestamp = incoming.delta = header.stamp
        elif incoming.part is None:
            incoming.delta = header.stamp if header.form < 3 else incoming.delta
            incoming.timestamp = (incoming.timestamp + incoming.delta) % _WRAP
        if header.form < 3:
            incoming.extended = header.extended
        part = incoming.part if incoming.part is not None else bytearray()
        part += payload
        incoming.part = part if len(part) < incoming.length else None
        self._streams[header.chunk_stream] = incoming
        if incoming.part is not None:
            return None
        message = Message(incoming.kind, bytes(part), incoming.timestamp, incoming.stream)
        self._obey(message)
        return message

    def _obey(self, message: Message) -> None:
        if message.kind not in (SET_CHUNK_SIZE, ABORT) or len(message.payload) < 4:
            return
        value = int.from_bytes(message.payload[:4], "big")
        if message.kind == ABORT:
            if value in self._streams:
                self._streams[value].part = None
        elif 1 <= value < _HALF:
            self.chunk_size = value
        else:
            raise ChunkError(f"chunks of {value} bytes")
