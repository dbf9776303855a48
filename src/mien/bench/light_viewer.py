"""A WebRTC viewer that costs next to nothing, so that many fit beside the server they measure.

Negotiation, ICE, DTLS and RTCP are real. Of the media only headers are read, which SRTP leaves
in the clear; until the first key frame, and now and then after it, packets are decrypted too.
"""

from __future__ import annotations

import asyncio
import re
import struct
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pylibsrtp
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket

# Of a stream's packets one in so many is decrypted after the first key frame.
CHECK_EVERY = 100
REPORT_SEC = 1.0

_SPS, _FU_A, _STAP_A, _IDR = 7, 28, 24, 5


@dataclass
class _Stream:
    """One RTP stream. ``lost`` counts holes; nothing is asked for again."""

    ssrc: int = 0
    packets: int = 0
    lost: int = 0
    newest: int = -1

    def add(self, sequence: int, ssrc: int) -> None:
        self.ssrc = ssrc
        self.packets += 1
        if self.newest >= 0:
            step = (sequence - self.newest + 0x8000) % 0x10000 - 0x8000
            self.lost += step - 1 if step > 0 else -1
            sequence = self.newest + max(0, step)
        self.newest = sequence


@dataclass(eq=False)
class LightViewer:
    """One viewer. Times are ``time.monotonic()``.

    asked: when the offer was sent. connected: when DTLS stood. first: when the first key frame was
    complete, None before. pictures: (arrival of the last packet, RTP time, packets so far, sound
    included) from then on.
    broken: packets that could not be decrypted.
    """

    asked: float = 0.0
    connected: float | None = None
    first: float | None = None
    pictures: list[tuple[float, int, int]] = field(default_factory=list)
    octets: int = 0
    broken: int = 0

    def __post_init__(self) -> None:
        self._streams: dict[int, _Stream] = {}  # by payload type
        self._video = -1
        self._key = False  # the picture that is arriving is a key frame
        self._reporting: asyncio.Task[None] | None = None
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        for kind in ("audio", "video"):
            self._connection.addTransceiver(kind, direction="recvonly")
        self._connection.on("connectionstatechange", self._on_state)

    @property
    def packets(self) -> int:
        return sum(stream.packets for stream in self._streams.values())

    @property
    def lost(self) -> int:
        return sum(stream.lost for stream in self._streams.values())

    async def watch(self, http: httpx.AsyncClient, whep: str) -> None:
        """Ask for the session at ``whep`` and connect. Raises httpx.HTTPError if refused."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = str(self._connection.localDescription.sdp)
        self.asked = time.monotonic()
        headers = {"Content-Type": "application/sdp"}
        response = await http.post(whep, content=offer, headers=headers)
        answer = response.raise_for_status().text
        payload_types = re.findall(r"^m=(audio|video) \S+ \S+ (\d+)", answer, re.MULTILINE)
        kinds = {kind: int(number) for kind, number in payload_types}
        self._streams = {number: _Stream() for number in kinds.values()}
        self._video = kinds["video"]
        self._dtls: Any = self._connection.getTransceivers()[0].receiver.transport
        ice = self._dtls.transport._connection
        self._take_rest = ice.data_received
        ice.data_received = self._take  # type: ignore[method-assign]
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        await self._connection.close()

    def _on_state(self) -> None:
        if self._connection.connectionState == "connected" and self.connected is None:
            self.connected = time.monotonic()
            self._reporting = asyncio.create_task(self._report(), name="receiver reports")

    def _take(self, data: bytes, component: int) -> None:
        """In place of aioice's hand-over: what is not media goes on to aiortc."""
        stream = self._streams.get(data[1] & 0x7F) if 128 <= data[0] < 192 else None
        if stream is None or self._dtls._rx_srtp is None:
            self._take_rest(data, component)
            return
        sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
        stream.add(sequence, ssrc)
        self.octets += len(data)
        if self.first is None or stream.packets % CHECK_EVERY == 0:
            self._decrypt(data)
        if data[1] == self._video | 0x80:  # the marker: a picture's last packet
            if self.first is None and self._key:
                self.first = time.monotonic()
            if self.first is not None:
                self.pictures.append((time.monotonic(), timestamp, self.packets))

    def _decrypt(self, data: bytes) -> None:
        try:
            packet = self._dtls._rx_srtp.unprotect(data)
        except pylibsrtp.Error:
            self.broken += 1
            return
        if data[1] & 0x7F == self._video and self.first is None:
            self._key = self._key or _begins_key_frame(packet)

    async def _report(self) -> None:
        """Receiver reports, as every real viewer sends them (RFC 3550 §6.4.2)."""
        while True:
            await asyncio.sleep(REPORT_SEC)
            for stream in self._streams.values():
                if stream.newest < 0:
                    continue
                info = RtcpReceiverInfo(
                    ssrc=stream.ssrc,
                    fraction_lost=0,
                    packets_lost=max(0, stream.lost),
                    highest_sequence=stream.newest & 0xFFFFFFFF,
                    jitter=0,
                    lsr=0,
                    dlsr=0,
                )
                try:
                    await self._dtls._send_rtp(bytes(RtcpRrPacket(ssrc=1, reports=[info])))
                except ConnectionError:
                    return


def _begins_key_frame(packet: bytes) -> bool:
    """Whether a decrypted RTP packet carries parameter sets or the start of an IDR picture."""
    first = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        (words,) = struct.unpack_from("!H", packet, first + 2)
        first += 4 + 4 * words
    kind = packet[first] & 0x1F
    if kind == _STAP_A:
        kind = packet[first + 3] & 0x1F
    elif kind == _FU_A:
        kind = packet[first + 1] & 0x1F
    return kind in (_SPS, _IDR)
