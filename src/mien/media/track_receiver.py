"""Receiving RTP over aiortc's connection, packet by packet.

aiortc negotiates, decrypts and reports to the sender (RTCP); its own way from packets to a track
is left out: a jitter buffer of 80 ms, a decoder in a thread that the event loop waits for.

This module is the only one that touches private names of aiortc's receivers; aiortc is pinned to
1.16.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtpPacket

from mien.media.packet_order import Packet

# (codec by the name of its MIME type, SSRC, packet), on the event loop.
Take = Callable[[str, int, Packet], None]


class PacketReceiver(RTCRtpReceiver):
    """An RTCRtpReceiver that hands its packets on; made from a plain one by :func:`bind`."""

    _mien: Take

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """In place of aiortc's, which starts a thread to decode in."""
        private: Any = self
        if private._RTCRtpReceiver__started:
            return
        for codec in parameters.codecs:
            private._RTCRtpReceiver__codecs[codec.payloadType] = codec
        private._RTCRtpReceiver__transport._register_rtp_receiver(self, parameters)
        private._RTCRtpReceiver__rtcp_task = asyncio.ensure_future(self._run_rtcp())
        private._RTCRtpReceiver__started = True  # so that ``stop`` ends the task

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        """Called by the transport for each packet."""
        private: Any = self
        codec = private._RTCRtpReceiver__codecs.get(packet.payload_type)
        if codec is None:
            return
        streams = private._RTCRtpReceiver__remote_streams
        if packet.ssrc not in streams:
            streams.clear()  # a sender that goes on under another name
            streams[packet.ssrc] = StreamStatistics(codec.clockRate)
        streams[packet.ssrc].add(packet)
        arrived = Packet(packet.sequence_number, packet.timestamp, packet.payload)
        self._mien(codec.name.lower(), packet.ssrc, arrived)


def bind(receiver: RTCRtpReceiver, take: Take) -> None:
    """Have ``receiver`` hand its packets to ``take`` once its connection stands."""
    receiver.__class__ = PacketReceiver
    assert isinstance(receiver, PacketReceiver)
    receiver._mien = take
