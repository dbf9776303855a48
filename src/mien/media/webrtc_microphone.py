"""WebRTC input: somebody's microphone, offered and answered as in WHIP (RFC 9725)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiortc import RTCPeerConnection, RTCRtpReceiver
from loguru import logger

from mien.media.intake import TooFast, keep_up
from mien.media.microphone import Sink
from mien.media.packet_order import Packet
from mien.media.rtp_sound import CODECS, RtpSound
from mien.media.track_receiver import bind
from mien.media.webrtc import BadOffer, WebRtcPeer


@dataclass(eq=False)
class WebRtcMicrophone(WebRtcPeer):
    """One microphone. ``run`` answers the offer and lasts as long as the connection.

    It takes the first track of sound, in Opus or as a telephone has it (PCMU, PCMA); further
    tracks are answered as inactive.
    """

    NO_CODEC = "no codec in common; offer sound as Opus or PCMU, and nothing else"

    label = "WebRTC"

    async def run(self, sink: Sink) -> None:
        """Raises what ``sink`` raises."""
        self._sound = RtpSound(sink)
        self._failure: Exception | None = None
        with self._outcome():
            await self._serve()
            if self._failure is not None:
                raise self._failure

    def _before_offer(self, connection: RTCPeerConnection) -> None:
        self._receiver: RTCRtpReceiver | None = None
        # In the offer's order: aiortc bundles everything onto the first it was given.
        for kind in re.findall(r"^m=(audio|video) ", self.offer, re.MULTILINE):
            if kind == "audio" and self._receiver is None:
                self._receiver = self._add_receiver(connection)
            else:
                connection.addTransceiver(kind, direction="inactive")

    def _add_receiver(self, connection: RTCPeerConnection) -> RTCRtpReceiver:
        transceiver = connection.addTransceiver("audio", direction="recvonly")
        known = RTCRtpReceiver.getCapabilities("audio")
        assert known is not None
        wanted = [f"audio/{name}" for name in CODECS]
        codecs = [codec for codec in known.codecs if codec.mimeType.lower() in wanted]
        codecs.sort(key=lambda codec: wanted.index(codec.mimeType.lower()))
        transceiver.setCodecPreferences(codecs)
        bind(transceiver.receiver, self._take)
        return transceiver.receiver

    def _after_offer(self, connection: RTCPeerConnection) -> None:
        if self._receiver is None or self._receiver.track is None:
            raise BadOffer("offer to send one track of sound")

    def _take(self, codec: str, ssrc: int, packet: Packet) -> None:
        if self._closed.is_set():
            return
        try:
            self._sound.take(codec, ssrc, packet)
        except TooFast:
            logger.warning("a microphone was closed: its sound came faster than real time")
            self.close()
        except Exception as error:  # the sink's; aiortc would lose it
            self._failure = error
            self.close()

    async def _stay(self) -> None:
        await keep_up(self._sound, self._closed)
