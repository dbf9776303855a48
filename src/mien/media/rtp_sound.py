"""Sound out of RTP packets: ordered, decoded, at our rate; each packet as soon as it is here."""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet as Encoded

from mien.media.intake import Intake
from mien.media.microphone import Sink
from mien.media.packet_order import Packet, PacketOrder
from mien.media.tick import Pcm

# By the name of the MIME type: FFmpeg's decoder, and the rate of both its sound and the RTP clock.
CODECS = {"opus": ("libopus", 48_000), "pcmu": ("pcm_mulaw", 8_000), "pcma": ("pcm_alaw", 8_000)}
# Packets are late over WLAN now and then: a stall this short leaves no mark. What it costs is that
# of a sender who stops sending (browsers that are muted do not) the end is heard so much later.
SLACK_SEC = 0.1


class RtpSound:
    """Hands what the packets of one microphone carry to ``sink``: int16[n] mono at RATE.

    aiortc's own way holds 80 ms back, and a packet until the next one has come. Here nothing
    waits that is in order. Decoding takes 0.1 ms for 20 ms of Opus: less than a thread's switch.

    broken: packets that could not be decoded; silence stands for them, as for lost ones.
    """

    def __init__(self, sink: Sink, clock: Callable[[], float] = time.monotonic) -> None:
        self.broken = 0
        self._sink = sink
        self._clock = clock
        self._stream: _Stream | None = None

    def take(self, codec: str, ssrc: int, packet: Packet) -> None:
        """A packet that has just come. codec: one of CODECS. ssrc: its sender's, 32 bits."""
        if self._stream is None or self._stream.source != (codec, ssrc):
            self._stream = _Stream(codec, ssrc, self._sink, self._clock)
        for next_ in self._stream.order.add(packet):
            self._decode(self._stream, next_)

    @property
    def missed(self) -> int:
        """Samples of the sender's that should have come by now and have not."""
        return self._stream.intake.missed if self._stream is not None else 0

    def catch_up(self) -> None:
        """Silence in place of what is missed; see :func:`mien.media.intake.keep_up`."""
        if self._stream is None or not self.missed:
            return
        for packet in self._stream.order.flush():
            self._decode(self._stream, packet)
        self._stream.intake.catch_up()

    def _decode(self, stream: _Stream, packet: Packet) -> None:
        position = stream.position(packet.timestamp)
        if not packet.payload:
            return  # padding
        try:
            pieces = stream.decode(packet.payload)
        except av.FFmpegError:
            self.broken += 1
            return
        for pcm in pieces:
            stream.intake.put(pcm, position)
            position += len(pcm)


class _Stream:
    """One sender's numbering, one codec. ``source``: (codec, SSRC)."""

    def __init__(self, codec: str, ssrc: int, sink: Sink, clock: Callable[[], float]) -> None:
        name, rate = CODECS[codec]
        self.source = (codec, ssrc)
        self.order = PacketOrder()
        self.intake = Intake(rate, sink, SLACK_SEC, clock)
        decoder = av.CodecContext.create(name, "r")
        assert isinstance(decoder, AudioCodecContext)
        decoder.format, decoder.layout, decoder.sample_rate = "s16", "mono", rate
        self._decoder = decoder
        self._position: int | None = None

    def decode(self, payload: bytes) -> list[Pcm]:
        """int16[n] mono. Raises av.FFmpegError."""
        frames = self._decoder.decode(Encoded(payload))
        return [np.frombuffer(bytes(f.planes[0]), np.int16, f.samples) for f in frames if f.samples]

    def position(self, timestamp: int) -> int:
        """The time stamp without its 32 bits' wrapping."""
        if self._position is None:
            self._position = timestamp
        step = (timestamp - self._position + (1 << 31)) % (1 << 32) - (1 << 31)
        self._position += step
        return self._position
