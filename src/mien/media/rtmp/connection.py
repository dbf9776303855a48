"""On the air at an RTMP server: from its name to a stream that takes pictures, and off again."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from functools import cache
from typing import Any

from mien.media.output import OutputError
from mien.media.rtmp import faults
from mien.media.rtmp.faults import CONNECT_SEC
from mien.media.rtmp.protocol import AUDIO, DATA, VIDEO, CallError, RtmpProtocol, whole
from mien.media.rtmp.stall import SAMPLE_SEC, Sample
from mien.media.rtmp.tcp import connected_socket, tcp_state
from mien.media.rtmp.url import Target

# To say goodbye and see it sent; a server that hangs is not waited for longer.
LEAVE_SEC = 1.0
# Some servers (node-media-server, older SRS) say yes first and then hang up on a wrong key or a
# second publisher; within a few ms, with a callback to ask somewhat later.
GRACE_SEC = 0.25
# Some platforms take only encoders they know; this is what they all answer to.
ENCODER = "FMLE/3.0 (compatible; mien)"


@cache
def verified() -> ssl.SSLContext:
    """TLS as for any web site: the system's authorities, or those of SSL_CERT_FILE."""
    return ssl.create_default_context()


class Connection:
    """A published stream. Made by :func:`connect`."""

    def __init__(self, target: Target, protocol: RtmpProtocol, stream: int) -> None:
        self._target = target
        self._protocol = protocol
        self._stream = stream
        self._socket: socket.socket = protocol.transport.get_extra_info("socket")

    def send_picture(self, body: bytes, timestamp: int) -> None:
        """An FLV video tag's body; ``timestamp`` in ms."""
        self._protocol.send(VIDEO, body, timestamp, self._stream)

    def send_sound(self, body: bytes, timestamp: int) -> None:
        """An FLV audio tag's body; ``timestamp`` in ms."""
        self._protocol.send(AUDIO, body, timestamp, self._stream)

    def send_data(self, body: bytes) -> None:
        """An FLV script tag's body."""
        self._protocol.send(DATA, body, 0, self._stream)

    async def writable(self) -> None:
        """Wait while as much is queued as should be."""
        await self._protocol.writable()

    async def ended(self) -> None:
        """Wait for the server to end the connection. Raises OutputError then."""
        if (error := await asyncio.shield(self._protocol.ended)) is not None:
            raise error

    async def stalled(self) -> None:
        """Wait for the server to take nothing any more. Raises OutputError then."""
        while not self._protocol.watch.stalled(self._sample()):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(SAMPLE_SEC)
        raise faults.stalled(self._target)

    def _sample(self) -> Sample:
        queued, sent = self._protocol.queued, self._protocol.sent
        state = tcp_state(self._socket)
        if state is None:
            return Sample(time.monotonic(), sent - queued, None, queued > 0)
        return Sample(time.monotonic(), state.taken, state.window, state.waiting or queued > 0)

    @property
    def sent(self) -> int:
        """Bytes so far."""
        return self._protocol.sent

    @property
    def queued(self) -> int:
        """Bytes that are not on the wire yet, as far as the system tells."""
        state = tcp_state(self._socket)
        return self._protocol.queued + (state.unsent if state else 0)

    @property
    def rtt_ms(self) -> float | None:
        state = tcp_state(self._socket)
        return state.rtt_ms if state else None

    async def leave(self) -> None:
        """Tell the server that the stream is over, and end the connection."""
        protocol = self._protocol
        protocol.phase = "leaving"
        protocol.call("FCUnpublish", None, self._target.key)
        protocol.call("deleteStream", None, self._stream)
        # Closing at once would throw away what the server still says, and with that, by TCP's
        # rules, perhaps our last words.
        if protocol.transport.can_write_eof():
            protocol.transport.write_eof()
        else:
            protocol.transport.close()
        try:
            async with asyncio.timeout(LEAVE_SEC):
                await asyncio.shield(protocol.lost)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """End the connection at once; nothing if it has ended."""
        self._protocol.phase = "leaving"
        self._protocol.transport.abort()


async def connect(target: Target, tls: ssl.SSLContext | None = None) -> Connection:
    """Connect and publish, in :data:`CONNECT_SEC` at most.

    tls: for rtmps, instead of the system's authorities.

    Raises:
        OutputError: with what was wrong.
    """
    attempt = _Attempt(target, tls)
    try:
        async with asyncio.timeout(CONNECT_SEC):
            return await attempt.run()
    except TimeoutError:
        raise attempt.timed_out() from None
    except OSError as error:
        raise attempt.failed(error) from error
    finally:
        attempt.clear_up()


class _Attempt:
    """step: what is being waited for."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None) -> None:
        self.step = "dns"
        self._target = target
        self._tls = tls
        self._protocol: RtmpProtocol | None = None
        self._done = False

    async def run(self) -> Connection:
        loop = asyncio.get_running_loop()
        target = self._target
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        secured: dict[str, Any] = {}
        if target.tls:
            context = self._tls or await asyncio.to_thread(verified)
            secured = {"ssl": context, "server_hostname": target.host}
        self.step = "tcp"
        sock = await connected_socket([(one[0], one[4]) for one in found])
        self.step = "tls" if target.tls else "handshake"
        _, protocol = await loop.create_connection(
            lambda: RtmpProtocol(target), sock=sock, **secured
        )
        self._protocol = protocol
        self.step = "handshake"
        await self._answer(protocol.shaken)
        stream = await self._publish(protocol)
        self._done = True
        return Connection(target, protocol, stream)

    async def _publish(self, protocol: RtmpProtocol) -> int:
        target = self._target
        self.step = protocol.phase = "connect"
        about = {
            "app": target.app,
            "type": "nonprivate",
            "flashVer": ENCODER,
            "tcUrl": target.url,
        }
        try:
            await self._answer(protocol.call("connect", about))
        except CallError as error:
            raise faults.rejected_app(target, error.words or error.code) from None
        self.step = protocol.phase = "publish"
        protocol.announce()
        # Courtesies that platforms expect; what they answer does not matter.
        protocol.call("releaseStream", None, target.key)
        protocol.call("FCPublish", None, target.key)
        try:
            result = await self._answer(protocol.call("createStream", None))
            number = next((whole(one) for one in result if isinstance(one, float)), 1)
            protocol.call("publish", None, target.key, "live", stream=number)
            await self._answer(protocol.published)
            await asyncio.wait({protocol.ended}, timeout=GRACE_SEC)
            self._still_there()
        except CallError as error:
            raise faults.rejected_publish(target, error.code, error.words) from None
        protocol.phase = "live"
        return number

    async def _answer(self, answer: asyncio.Future[Any]) -> Any:
        """What the server answers, unless the connection ends first."""
        assert self._protocol is not None
        await asyncio.wait({answer, self._protocol.ended}, return_when=asyncio.FIRST_COMPLETED)
        self._still_there()
        return answer.result()

    def _still_there(self) -> None:
        assert self._protocol is not None
        ended = self._protocol.ended
        if ended.done() and (error := ended.result()) is not None:
            raise error

    def timed_out(self) -> OutputError:
        if self.step == "dns":
            return faults.dns_silent(self._target)
        if self.step == "tcp":
            return faults.unreachable(self._target, "no answer")
        return faults.silent(self._target, self.step)

    def failed(self, error: OSError) -> OutputError:
        if self.step == "tls" and not isinstance(error, ssl.SSLError):
            return faults.tls_failed(self._target, error.strerror or "it broke off")
        return faults.while_connecting(error, self._target)

    def clear_up(self) -> None:
        """Leave nothing open unless it worked."""
        if self._protocol is not None and not self._done:
            self._protocol.phase = "leaving"
            self._protocol.transport.abort()
