"""A WebRTC connection that somebody offers and the server answers, as in WHEP and WHIP (RFC 9725):
one HTTP exchange, complete offers, final answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError

from mien.media.ports import HostPorts

# A browser that can connect does so within two or three seconds.
CONNECT_SEC = 15


class BadOffer(ValueError):
    """The SDP offer cannot be answered; the message says why.

    readable: whether it is SDP at all.
    """

    def __init__(self, message: str, readable: bool = True) -> None:
        super().__init__(message)
        self.readable = readable


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """ice_servers: for the server's own candidates. port_range: first and last UDP port it may
    use, inclusive; None leaves it to the system. public_address: IP to advertise besides the
    machine's own, for a host behind 1:1 NAT.
    """

    ice_servers: tuple[RTCIceServer, ...] = ()
    port_range: tuple[int, int] | None = None
    public_address: str | None = None

    def connection(self) -> RTCPeerConnection:
        """A new one with these ICE servers, everything over one transport."""
        configuration = RTCConfiguration(
            # Never None: aiortc would ask a public STUN server and wait for it.
            iceServers=list(self.ice_servers),
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
        )
        return RTCPeerConnection(configuration)

    def confine(self, connection: RTCPeerConnection) -> None:
        """Apply port range and public address to what ``connection`` will gather."""
        if self.port_range is not None or self.public_address is not None:
            HostPorts(self.port_range, self.public_address).confine(connection)


@dataclass(eq=False)
class WebRtcPeer:
    """Whoever is at the other end of one connection.

    answer: resolves to the SDP answer, or to BadOffer. on_connected: called once media can flow.
    NO_CODEC: what an offer without a common codec is told.
    """

    NO_CODEC: ClassVar[str]

    offer: str
    settings: WebRtcSettings = field(default_factory=WebRtcSettings)

    def __post_init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.state = "new"
        self.on_connected: Callable[[], None] = lambda: None
        self._decided = asyncio.Event()
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Ask ``run`` to end."""
        self._decided.set()
        self._closed.set()

    def _before_offer(self, connection: RTCPeerConnection) -> None:
        """Add what is to be negotiated: aiortc applies codec preferences as it reads an offer."""

    def _after_offer(self, connection: RTCPeerConnection) -> None:
        """Look at what was offered. Raises BadOffer."""

    async def _stay(self) -> None:
        """While the connection stands; lasts until ``_closed`` is set."""
        await self._closed.wait()

    @contextmanager
    def _outcome(self) -> Iterator[None]:
        """What fails in here is the answer, if there is none yet."""
        try:
            yield
        except Exception as error:
            if self.answer.done():
                raise
            self.answer.set_exception(error)
        finally:
            self.answer.cancel()
            self.state = "closed"

    async def _serve(self) -> None:
        """Answer, and last as long as the connection."""
        connection = self.settings.connection()
        connection.on("connectionstatechange", lambda: self._on_state(connection))
        try:
            sdp = await self._negotiate(connection)
            if self.answer.cancelled():
                return  # who asked has gone
            self.answer.set_result(sdp)
            if await self._connected():
                await self._stay()
        finally:
            await asyncio.shield(connection.close())

    async def _connected(self) -> bool:
        """Whether they come, before long; aiortc would wait for ever."""
        try:
            async with asyncio.timeout(CONNECT_SEC):
                await self._decided.wait()
        except TimeoutError:
            return False
        return True

    def _on_state(self, connection: RTCPeerConnection) -> None:
        self.state = connection.connectionState
        if self.state == "connected":
            self._decided.set()
            self.on_connected()
        if self.state in ("failed", "closed"):
            self.close()

    async def _negotiate(self, connection: RTCPeerConnection) -> str:
        if not self.offer.startswith("v=0"):
            raise BadOffer("it is no SDP", readable=False)
        self._before_offer(connection)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(self.offer, "offer"))
        except OperationError as error:
            raise BadOffer(self.NO_CODEC) from error
        except Exception as error:  # aiortc raises whatever its parser trips over
            raise BadOffer(f"the SDP offer cannot be parsed: {error}", readable=False) from error
        self._after_offer(connection)
        self.settings.confine(connection)
        await connection.setLocalDescription(await connection.createAnswer())
        sdp = str(connection.localDescription.sdp)
        if "a=candidate" not in sdp:
            raise BadOffer("the server has no free UDP port or no network address to offer")
        return sdp
