"""WebRTC output: one viewer, offered and answered as in WHEP (draft-ietf-wish-whep)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from mien.media.encoders import OPUS_DELAY_SAMPLES
from mien.media.h264 import VIDEO_CLOCK
from mien.media.ports import HostPorts
from mien.media.program import Program
from mien.media.sender_clock import bind
from mien.media.subscription import Subscription
from mien.media.tick import SAMPLE_RATE

# A browser that can connect does so within two or three seconds.
CONNECT_SEC = 15


class BadOffer(ValueError):
    """The SDP offer cannot be answered; the message says why."""


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """ice_servers: for the server's own candidates. port_range: first and last UDP port it may
    use, inclusive; None leaves it to the system. public_address: IP to advertise besides the
    machine's own, for a host behind 1:1 NAT.
    """

    ice_servers: tuple[RTCIceServer, ...] = ()
    port_range: tuple[int, int] | None = None
    public_address: str | None = None

    def confine(self, connection: RTCPeerConnection) -> None:
        """Apply port range and public address to what ``connection`` will gather."""
        if self.port_range is not None or self.public_address is not None:
            HostPorts(self.port_range, self.public_address).confine(connection)


class _PacketTrack(MediaStreamTrack):
    """Hands encoded packets to aiortc, which only packetises them."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__()
        self.kind = subscription.kind
        self._subscription = subscription
        self._flowing = False

    async def recv(self) -> Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        if not self._flowing:
            # aiortc asks for the first packet once the connection stands; what was queued
            # while it was being made would only arrive late.
            self._flowing = True
            self._subscription.restart()
        return (await self._subscription.get()).packet


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
        configuration = RTCConfiguration(
            # Never None: aiortc would ask a public STUN server and wait for it.
            iceServers=list(self.settings.ice_servers),
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
        )
        connection = RTCPeerConnection(configuration)
        connection.on("connectionstatechange", lambda: self._on_state(connection))
        rendition = program.shared.as_cutout() if self.cutout else None
        try:
            with (
                program.subscribe("audio") as sound,
                program.subscribe("video", rendition) as pictures,
            ):
                sdp = await self._negotiate(connection, program, sound, pictures)
                if self.answer.cancelled():
                    return  # who asked has gone
                self.answer.set_result(sdp)
                try:
                    async with asyncio.timeout(CONNECT_SEC):
                        await self._decided.wait()
                except TimeoutError:
                    return  # nobody came; aiortc would wait for ever
                await self._closed.wait()
        except Exception as error:
            if self.answer.done():
                raise
            self.answer.set_exception(error)
        finally:
            self.answer.cancel()
            self.state = "closed"
            await asyncio.shield(connection.close())

    def _on_state(self, connection: RTCPeerConnection) -> None:
        self.state = connection.connectionState
        if self.state == "connected":
            self._decided.set()
            self.on_connected()
        if self.state in ("failed", "closed"):
            self.close()

    async def _negotiate(
        self,
        connection: RTCPeerConnection,
        program: Program,
        sound: Subscription,
        pictures: Subscription,
    ) -> str:
        epoch = await program.started()
        # In the offer's order: aiortc bundles everything onto the first it was given.
        for kind in re.findall(r"^m=(audio|video) ", self.offer, re.MULTILINE)[:2]:
            if kind == "audio":
                self._send(connection, sound, program, epoch, SAMPLE_RATE, OPUS_DELAY_SAMPLES)
            else:
                self._send(connection, pictures, program, epoch, VIDEO_CLOCK, 0)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(self.offer, "offer"))
        except OperationError as error:
            raise BadOffer("no codec in common; the receiver must take H.264 and Opus") from error
        except Exception as error:  # aiortc raises whatever its parser trips over
            raise BadOffer(f"the SDP offer cannot be parsed: {error}") from error
        if {t.kind for t in connection.getTransceivers() if t.mid} != {"audio", "video"}:
            raise BadOffer("offer to receive one audio and one video")
        self.settings.confine(connection)
        await connection.setLocalDescription(await connection.createAnswer())
        sdp = str(connection.localDescription.sdp)
        if "a=candidate" not in sdp:
            raise BadOffer("the server has no free UDP port or no network address to offer")
        return sdp

    def _send(
        self,
        connection: RTCPeerConnection,
        subscription: Subscription,
        program: Program,
        epoch: float,
        rate: int,
        delay: int,
    ) -> None:
        # Before the offer is read: that is when aiortc applies codec preferences.
        track = _PacketTrack(subscription)
        transceiver = connection.addTransceiver(track, direction="sendonly")
        wanted = ("audio/opus",) if track.kind == "audio" else ("video/h264", "video/rtx")
        codecs = RTCRtpSender.getCapabilities(track.kind).codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType.lower() in wanted])
        bind(
            transceiver.sender,
            epoch=epoch,
            rate=rate,
            delay=delay,
            on_keyframe=subscription.request_keyframe,
        )
