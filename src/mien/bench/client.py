"""A WebRTC viewer that hides nothing: no jitter buffer, every arrival noted.

It sees what the server really sends, and maps RTP time to wall-clock time by the sender's
reports, which is what any player that keeps lip sync aims for. Sound is decoded packet by packet,
pictures as their last packet arrives; what is lost stays lost and is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from mien.bench.clocks import RtpClock
from mien.bench.signals import Sound
from mien.media.h264 import VIDEO_CLOCK
from mien.media.tick import SAMPLE_RATE, Image

_SPS = 7  # NAL unit type of a sequence parameter set


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """20 ms of decoded sound. ``arrival``: ``time.monotonic()``; ``rtp``: of its first sample.

    sound: float32[n] mono 48 kHz, full scale = 1.
    """

    arrival: float
    rtp: int
    sound: Sound


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture. ``arrival``: of its last packet; ``decoded``: both monotonic seconds.

    luma: uint8[H, W].
    """

    arrival: float
    decoded: float
    rtp: int
    luma: Image


class Viewer:
    """One connection. Set the callbacks, exchange offer and answer, close.

    decode: whether pictures and sound are decoded; without, only arrivals are noted, which
        costs the measuring machine next to nothing.

    Attributes:
        sound_clock, picture_clock: RTP to NTP.
        picture_times: (arrival, RTP) of each complete picture.
        lost: packets that never came, over both streams.
    """

    def __init__(self, decode: bool = True) -> None:
        self.sound_clock = RtpClock(SAMPLE_RATE)
        self.picture_clock = RtpClock(VIDEO_CLOCK)
        self.picture_times: list[tuple[float, int]] = []
        self.on_sound: Callable[[SoundPacket], None] = lambda packet: None
        self.on_picture: Callable[[Picture], None] = lambda picture: None
        self._decode = decode
        self._sequences = {"audio": _Sequence(), "video": _Sequence()}
        self._decoder: AudioCodecContext | None = None
        self._pictures = _AccessUnits()
        self._picture_decoder: VideoCodecContext | None = None
        self._thread = ThreadPoolExecutor(1, "picture decoder")
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        for kind in ("audio", "video"):
            transceiver = self._connection.addTransceiver(kind, direction="recvonly")
            self._tap(kind, transceiver.receiver)

    def _tap(self, kind: str, receiver: Any) -> None:
        """Take what the transport hands this receiver; other connections stay as they are.

        aiortc's own receiver would hold sound back for 80 ms and each picture until the next.
        """
        take_rtcp = receiver._handle_rtcp_packet
        take = self._take_sound if kind == "audio" else self._take_picture
        clock = self.sound_clock if kind == "audio" else self.picture_clock

        async def on_rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
            self._sequences[kind].add(packet.sequence_number)
            if packet.payload:
                take(packet, time.monotonic())
            if kind == "video" and self._pictures.wants_keyframe(time.monotonic()):
                await receiver._send_rtcp_pli(packet.ssrc)

        async def on_rtcp(packet: AnyRtcpPacket) -> None:
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                clock.report(info.ntp_timestamp / (1 << 32), info.rtp_timestamp)
            await take_rtcp(packet)

        receiver._handle_rtp_packet = on_rtp
        receiver._handle_rtcp_packet = on_rtcp

    # -- connection --------------------------------------------------------------------

    async def offer(self) -> str:
        """The SDP offer, with all candidates."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return str(self._connection.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        await self._connection.close()
        await asyncio.to_thread(self._thread.shutdown)

    @property
    def lost(self) -> int:
        return sum(sequence.lost for sequence in self._sequences.values())

    # -- what arrives ------------------------------------------------------------------

    def _take_sound(self, packet: RtpPacket, now: float) -> None:
        if not self._decode:
            return
        if self._decoder is None:
            codec = av.CodecContext.create("libopus", "r")
            assert isinstance(codec, AudioCodecContext)
            codec.format, codec.layout, codec.sample_rate = "s16", "stereo", SAMPLE_RATE
            self._decoder = codec
        for frame in self._decoder.decode(Packet(packet.payload)):
            channels = len(frame.layout.channels)
            pcm = frame.to_ndarray().reshape(-1, channels)[:, 0]
            sound = pcm.astype(np.float32) / np.float32(32768)
            self.on_sound(SoundPacket(now, packet.timestamp, sound))

    def _take_picture(self, packet: RtpPacket, now: float) -> None:
        data = self._pictures.add(packet)
        if not packet.marker:
            return
        self.picture_times.append((now, packet.timestamp))
        if data is not None and self._decode:
            loop = asyncio.get_running_loop()
            job = loop.run_in_executor(self._thread, self._decode_picture, data)
            job.add_done_callback(lambda done: self._show(done, now, packet.timestamp))

    def _decode_picture(self, data: bytes) -> Image | None:
        """uint8[H, W] brightness; in a thread, one picture after the other."""
        if self._picture_decoder is None:
            codec = av.CodecContext.create("h264", "r")
            assert isinstance(codec, VideoCodecContext)
            codec.thread_count = 1
            self._picture_decoder = codec
        for frame in self._picture_decoder.decode(Packet(data)):
            plane = frame.planes[0]
            luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
            return luma[: frame.height, : frame.width]
        return None

    def _show(self, job: asyncio.Future[Image | None], arrival: float, rtp: int) -> None:
        if job.cancelled() or job.exception() is not None:
            self._pictures.spoilt = True
        elif (luma := job.result()) is not None:
            self.on_picture(Picture(arrival, time.monotonic(), rtp, luma))


class _AccessUnits:
    """Puts H.264 pictures together; after a loss, waits for the next key frame.

    spoilt: whether pictures cannot be decoded until a key frame comes.
    """

    def __init__(self) -> None:
        self.spoilt = True
        self._data = bytearray()
        self._next: int | None = None
        self._asked = 0.0

    def add(self, packet: RtpPacket) -> bytes | None:
        """The access unit (Annex B) that this packet completes, if it can be decoded."""
        if self._next is not None and packet.sequence_number != self._next:
            self.spoilt = True
            self._data.clear()
        self._next = (packet.sequence_number + 1) % (1 << 16)
        self._data += H264PayloadDescriptor.parse(packet.payload)[1]
        if not packet.marker:
            return None
        data = bytes(self._data)
        self._data.clear()
        # The product puts the parameter sets into each key frame, in front.
        if len(data) > 4 and data[4] & 0x1F == _SPS:
            self.spoilt = False
        return None if self.spoilt else data

    def wants_keyframe(self, now: float) -> bool:
        """Whether to ask for one now: after a loss, twice a second."""
        if not self.spoilt or now - self._asked < 0.5:
            return False
        self._asked = now
        return True


class _Sequence:
    """Counts what is missing between the first and the newest sequence number."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._newest = 0
        self._seen = 0

    def add(self, number: int) -> None:
        if self._first is None:
            self._first = self._newest = number
        step = (number - self._newest + 0x8000) % 0x10000 - 0x8000
        self._newest = max(self._newest, self._newest + step)
        self._seen += 1

    @property
    def lost(self) -> int:
        if self._first is None:
            return 0
        return max(0, self._newest - self._first + 1 - self._seen)
