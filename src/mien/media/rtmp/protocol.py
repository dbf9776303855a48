"""One RTMP connection on the event loop: handshake, commands, what the server says (RTMP 1.0)."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Literal, cast

from mien.media.output import OutputError
from mien.media.rtmp import amf0, faults
from mien.media.rtmp.chunks import (
    CHUNK_SIZE,
    SET_CHUNK_SIZE,
    ChunkError,
    ChunkReader,
    ChunkWriter,
    Message,
)
from mien.media.rtmp.handshake import Handshake, HandshakeError
from mien.media.rtmp.stall import ACK_WINDOW, StallWatch
from mien.media.rtmp.tcp import UNSENT_BYTES
from mien.media.rtmp.url import Target

# Message types (§5.4, §7.1).
ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_ACK_SIZE = 3, 4, 5
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
# User control events (§7.1.7).
PING_REQUEST, PING_RESPONSE = 6, 7

# Chunk streams: 2 is the protocol's own (§5.3.1.1), the others are ours to choose.
_CONTROL, _COMMANDS, _AUDIO, _DATA, _VIDEO = 2, 3, 4, 5, 6

Phase = Literal["handshake", "connect", "publish", "live", "leaving"]


class CallError(Exception):
    """The server answered a command with ``_error``. code, words: as it says."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words or code)
        self.code = code
        self.words = words


class RtmpProtocol(asyncio.Protocol):
    """The client's side of a connection.

    phase: where it stands, which decides what an end of the connection means.
    ended: resolves to why the server is gone; to None when we left.
    sent: bytes given to the transport.
    """

    def __init__(self, target: Target) -> None:
        loop = asyncio.get_running_loop()
        self.phase: Phase = "handshake"
        self.sent = 0
        self.watch = StallWatch()
        self.ended: asyncio.Future[OutputError | None] = loop.create_future()
        self.published: asyncio.Future[None] = loop.create_future()
        self.shaken: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport
        self._target = target
        self._handshake = Handshake()
        self._reader = ChunkReader()
        self._writer = ChunkWriter()
        self._calls: dict[int, asyncio.Future[list[amf0.Value]]] = {}
        self._numbers = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._received = self._confirmed = 0
        self._window = 0

    # -- what asyncio calls ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=UNSENT_BYTES, low=UNSENT_BYTES // 4)
        self._write(self._handshake.hello())

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        try:
            if not self._handshake.done:
                answer, data = self._handshake.feed(data)
                self._write(answer)
                if self._handshake.done:
                    self._settle(self.shaken)
            if self._handshake.done:
                for message in self._reader.feed(data):
                    self._on_message(message)
                self._confirm()
        except HandshakeError as error:
            self.fail(faults.not_rtmp(self._target, error.tls))
        except (ChunkError, amf0.AmfError) as error:
            self.fail(faults.closed(self._target, f"it sent what is no RTMP: {error}"))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._settle(self.lost)
        if self.phase == "leaving":
            if not self.ended.done():
                self.ended.set_result(None)
            return
        why = str(getattr(error, "strerror", None) or error or "")
        if self.phase == "handshake":
            self.fail(faults.hung_up(self._target, why))
        elif self.phase == "live":
            self.fail(faults.closed(self._target, why))
        # Most servers say no by hanging up, some of them with a reset.
        elif self.phase == "connect":
            self.fail(faults.rejected_app(self._target))
        else:
            self.fail(faults.rejected_key(self._target))

    # -- what we say -------------------------------------------------------------------

    async def writable(self) -> None:
        """Wait while as much is queued as should be."""
        await self._writable.wait()

    @property
    def queued(self) -> int:
        """Bytes that the system has not taken yet."""
        return self.transport.get_write_buffer_size()

    def announce(self) -> None:
        """Larger chunks from now on, and acknowledgements wanted."""
        self._send(_CONTROL, Message(SET_CHUNK_SIZE, struct.pack(">I", CHUNK_SIZE)))
        self._writer.chunk_size = CHUNK_SIZE
        self._send(_CONTROL, Message(WINDOW_ACK_SIZE, struct.pack(">I", ACK_WINDOW)))

    def call(
        self, command: str, *values: amf0.Sendable, stream: int = 0
    ) -> asyncio.Future[list[amf0.Value]]:
        """Send a command; the future has the values of ``_result``, or :class:`CallError`."""
        self._numbers += 1
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_looked_at)
        self._calls[self._numbers] = answer
        payload = amf0.encode(command, self._numbers, *values)
        self._send(_COMMANDS, Message(COMMAND, payload, stream=stream))
        return answer

    def send(self, kind: int, payload: bytes, timestamp: int, stream: int) -> None:
        """A message of sound, pictures or data; ``timestamp`` in ms."""
        chunk_stream = {AUDIO: _AUDIO, VIDEO: _VIDEO}.get(kind, _DATA)
        self._send(chunk_stream, Message(kind, payload, timestamp, stream))

    def fail(self, error: OutputError) -> None:
        """End it, for this reason."""
        if not self.ended.done():
            self.ended.set_result(error)
        self.transport.abort()

    def _send(self, chunk_stream: int, message: Message) -> None:
        self._write(self._writer.write(chunk_stream, message))

    def _write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)
            self.sent += len(data)

    def _confirm(self) -> None:
        if self._window and self._received - self._confirmed >= self._window:
            self._confirmed = self._received
            count = struct.pack(">I", self._received % (1 << 32))
            self._send(_CONTROL, Message(ACKNOWLEDGEMENT, count))

    # -- what the server says ----------------------------------------------------------

    def _on_message(self, message: Message) -> None:
        if message.kind == ACKNOWLEDGEMENT:
            self.watch.acknowledged(time.monotonic(), self.sent - self.queued)
        elif message.kind == WINDOW_ACK_SIZE:
            self._window = int.from_bytes(message.payload[:4], "big")
        elif message.kind == USER_CONTROL:
            if int.from_bytes(message.payload[:2], "big") == PING_REQUEST:
                pong = struct.pack(">H", PING_RESPONSE) + message.payload[2:6]
                self._send(_CONTROL, Message(USER_CONTROL, pong))
        elif message.kind == COMMAND:
            self._on_command(amf0.decode(message.payload))

    def _on_command(self, values: list[amf0.Value]) -> None:
        command, number, *rest = [*values, None, None][: max(2, len(values))]
        if command in ("_result", "_error"):
            call = self._calls.pop(whole(number), None)
            if call is None or call.done():
                return
            if command == "_result":
                call.set_result(rest)
            else:
                call.set_exception(CallError(*_status(rest)))
        elif command == "onStatus":
            self._on_status(*_status(rest), level=_field(rest, "level"))
        elif command == "close":
            self.fail(faults.closed(self._target))

    def _on_status(self, code: str, words: str, level: str) -> None:
        if self.phase == "publish":
            if code == "NetStream.Publish.Start":
                self._settle(self.published)
            elif level == "error" or code.startswith("NetStream.Publish."):
                self.fail(faults.rejected_publish(self._target, code, words))
        elif self.phase == "live":
            ends = code in ("NetStream.Unpublish.Success", "NetConnection.Connect.Closed")
            if level == "error" or ends:
                self.fail(faults.closed(self._target, self._target.hide(words or code)[:200]))

    def _settle(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)


def _looked_at(answer: asyncio.Future[list[amf0.Value]]) -> None:
    """Nobody waits for the answers to courtesies such as releaseStream: their errors are none."""
    if not answer.cancelled():
        answer.exception()


def whole(value: amf0.Value) -> int:
    """A number as a 32-bit whole one, as ids are; 0 for anything else."""
    fits = isinstance(value, float) and 0 <= value < 1 << 32
    return int(cast(float, value)) if fits else 0


def _field(values: list[amf0.Value], name: str) -> str:
    for value in values:
        if isinstance(value, dict) and isinstance(found := value.get(name), str):
            return found
    return ""


def _status(values: list[amf0.Value]) -> tuple[str, str]:
    """Code and description of an information object (§7.2.2)."""
    return _field(values, "code"), _field(values, "description")
