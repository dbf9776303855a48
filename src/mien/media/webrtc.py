"""WebRTC output: one viewer, offered and answered as in WHEP (draft-ietf-wish-whep)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError

from mien.media.ports import HostPorts
from mien.media.program import Program
from mien.media.rtp_stream import RtpStream, rtp_stream
from mien.media.track_sender import Leg, bind

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
class WebRtcViewer:
    """One viewer. ``run`` answers the offer and lasts as long as the connection.

    cutout: the figure alone, see ``Rendition``, instead of the shared pictures.
    answer: resolves to the SDP answer, or to BadOffer.
    """

    offer: str
    settings: WebRtcSettings = field(default_factory=WebRtcSettings)
    cutout: bool = False

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

    async def run(self, program: Program) -> None:
        connection = self.settings.connection()
        connection.on("connectionstatechange", lambda: self._on_state(connection))
        rendition = program.shared.as_cutout() if self.cutout else None
        try:
            async with (
                rtp_stream(program, "audio") as sound,
                rtp_stream(program, "video", rendition) as pictures,
            ):
                try:
                    sdp = await self._negotiate(connection, sound, pictures)
                    if self.answer.cancelled():
                        return  # who asked has gone
                    self.answer.set_result(sdp)
                    await self._last()
                finally:
                    await asyncio.shield(connection.close())
        except Exception as error:
            if self.answer.done():
                raise
            self.answer.set_exception(error)
        finally:
            self.answer.cancel()
            self.state = "closed"

    async def _last(self) -> None:
        """Until the viewer leaves, does not come, or an encoder fails."""
        try:
            async with asyncio.timeout(CONNECT_SEC):
                await self._decided.wait()
        except TimeoutError:
            return  # nobody came; aiortc would wait for ever
        await self._closed.wait()

    def _on_state(self, connection: RTCPeerConnection) -> None:
        self.state = connection.connectionState
        if self.state == "connected":
            self._decided.set()
            self.on_connected()
        if self.state in ("failed", "closed"):
            self.close()

    async def _negotiate(
        self, connection: RTCPeerConnection, sound: RtpStream, pictures: RtpStream
    ) -> str:
        if not self.offer.startswith("v=0"):
            raise BadOffer("it is no SDP", readable=False)
        # In the offer's order: aiortc bundles everything onto the first it was given.
        for kind in re.findall(r"^m=(audio|video) ", self.offer, re.MULTILINE)[:2]:
            # Before the offer is read: that is when aiortc applies codec preferences.
            add_sender(connection, sound if kind == "audio" else pictures, self.close)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(self.offer, "offer"))
        except OperationError as error:
            raise BadOffer("no codec in common; the receiver must take H.264 and Opus") from error
        except Exception as error:  # aiortc raises whatever its parser trips over
            raise BadOffer(f"the SDP offer cannot be parsed: {error}", readable=False) from error
        if {t.kind for t in connection.getTransceivers() if t.mid} != {"audio", "video"}:
            raise BadOffer("offer to receive one audio and one video")
        self.settings.confine(connection)
        await connection.setLocalDescription(await connection.createAnswer())
        sdp = str(connection.localDescription.sdp)
        if "a=candidate" not in sdp:
            raise BadOffer("the server has no free UDP port or no network address to offer")
        return sdp


def add_sender(
    connection: RTCPeerConnection,
    stream: RtpStream,
    on_lost: Callable[[], None],
    profile: str = "",
) -> Leg:
    """Let ``connection`` send ``stream``, once it stands.

    on_lost: called if it cannot go on. profile: the H.264 profile-level-id to offer first.
    """
    transceiver = connection.addTransceiver(stream.kind, direction="sendonly")
    wanted = ("audio/opus",) if stream.kind == "audio" else ("video/h264", "video/rtx")
    capabilities = RTCRtpSender.getCapabilities(stream.kind).codecs
    codecs = [c for c in capabilities if c.mimeType.lower() in wanted]
    codecs.sort(key=lambda codec: codec.parameters.get("profile-level-id") != profile)
    transceiver.setCodecPreferences(codecs)
    return bind(transceiver.sender, stream, on_lost)
