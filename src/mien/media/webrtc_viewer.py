"""WebRTC output: one viewer, offered and answered as in WHEP (draft-ietf-wish-whep)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiortc import RTCPeerConnection, RTCRtpSender

from mien.media.program import Program
from mien.media.rtp_stream import RtpStream, rtp_stream
from mien.media.track_sender import Leg, bind
from mien.media.webrtc import BadOffer, WebRtcPeer


@dataclass(eq=False)
class WebRtcViewer(WebRtcPeer):
    """One viewer. ``run`` answers the offer and lasts as long as the connection.

    cutout: the figure alone, see ``Rendition``, instead of the shared pictures. leaves: they watch
    from another machine.
    """

    NO_CODEC = "no codec in common; the receiver must take H.264 and Opus"

    cutout: bool = False
    leaves: bool = False

    async def run(self, program: Program) -> None:
        rendition = program.shared.as_cutout() if self.cutout else None
        with self._outcome():
            async with (
                rtp_stream(program, "audio") as sound,
                rtp_stream(program, "video", rendition, self.leaves) as pictures,
            ):
                self._sound, self._pictures = sound, pictures
                await self._serve()

    def _before_offer(self, connection: RTCPeerConnection) -> None:
        # In the offer's order: aiortc bundles everything onto the first it was given.
        for kind in re.findall(r"^m=(audio|video) ", self.offer, re.MULTILINE)[:2]:
            add_sender(connection, self._sound if kind == "audio" else self._pictures, self.close)

    def _after_offer(self, connection: RTCPeerConnection) -> None:
        if {t.kind for t in connection.getTransceivers() if t.mid} != {"audio", "video"}:
            raise BadOffer("offer to receive one audio and one video")


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
