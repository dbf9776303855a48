"""Sending a shared RTP stream over aiortc's connection, with sender reports that tell media time.

aiortc negotiates, encrypts and speaks RTCP; its own way from a track to packets is left out. What
differs between viewers is made here: RTP header, SRTP, the datagram.

A receiver synchronises sound and picture by the sender reports (RFC 3550 §6.4.1): each maps an
RTP time stamp to wall-clock (NTP) time. aiortc 1.16 stamps them with the moment a packet left,
so encoding time and scheduling jitter enter lip sync (±20 ms measured). Here both kinds map to
one media clock instead; measured at the receiver: standard deviation 0.0 ms.

This module is the only one that touches private names of aiortc's senders and transports; aiortc
is pinned to 1.16.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpSender
from aiortc.rtcdtlstransport import State
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import random_sequence_number
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap
from aiortc.utils import random32

from mien.media.datagrams import Datagrams
from mien.media.rtp_stream import Burst, RtpStream

# Seconds from the NTP epoch (1900) to the Unix epoch (1970).
NTP_OFFSET = 2_208_988_800
# Bytes that may wait for a receiver that cannot be reached as fast: half a second of video.
# Datagrams hardly ever wait; over TURN by TCP they do, and would come later and later.
MAX_BACKLOG = 128_000

_HEADER = struct.Struct("!BBHII")
_MARKER = 0x80
_SEQUENCES = 1 << 16


class SharedSender(RTCRtpSender):
    """An RTCRtpSender that sends an :class:`RtpStream`; made from a plain one by :func:`bind`."""

    _mien: Leg

    async def _run_rtp(self, codec: RTCRtpCodecParameters) -> None:
        """In place of aiortc's loop: from when the connection stands until the sender stops."""
        private: Any = self
        private._RTCRtpSender__rtp_started.set()
        leg = self._mien
        try:
            leg.begin(codec.payloadType or 0)
            with leg.stream.joined(leg):
                await leg.lost.wait()
        except asyncio.CancelledError:
            pass
        finally:
            private._RTCRtpSender__rtp_exited.set()  # whoever stops the sender waits for it

    async def _retransmit(self, sequence_number: int) -> None:
        """Called for each packet a NACK names."""
        self._mien.retransmit(sequence_number)

    def _send_keyframe(self) -> None:
        """Called for PLI and FIR; what we send is encoded already, so ask its maker."""
        self._mien.stream.request_keyframe()


def bind(sender: RTCRtpSender, stream: RtpStream, on_lost: Callable[[], None]) -> Leg:
    """Let ``sender`` send ``stream`` once its connection stands.

    on_lost: called if it cannot go on, though the connection stands.
    """
    sender.__class__ = SharedSender
    assert isinstance(sender, SharedSender)
    sender._mien = Leg(sender, stream, on_lost)
    return sender._mien


class Leg:
    """A shared stream's way to one receiver: own SSRC, sequence numbers and origin of time.

    packets, octets: sent, those for the second time (resent) included. dropped: pictures or sounds
    left out because the connection could not take them.
    """

    def __init__(self, sender: Any, stream: RtpStream, on_lost: Callable[[], None]) -> None:
        self.stream = stream
        self.lost = asyncio.Event()
        self.packets = self.octets = self.resent = self.dropped = 0
        self._on_lost = on_lost
        self._datagrams = Datagrams()
        self._sender = sender
        self._payload_type = 0
        self._extensions = _Extensions(HeaderExtensionsMap(), None)
        self._origin = random32()
        self._next = random_sequence_number()
        # Payloads from ``_since`` up to before ``_expected`` went out without a hole; the last of
        # them as sequence number ``_next`` - 1.
        self._since = 0
        self._expected = -1

    def begin(self, payload_type: int) -> None:
        """The connection stands; what was negotiated is known."""
        sender = self._sender
        self._payload_type = payload_type
        self._extensions = _Extensions(
            sender._RTCRtpSender__rtp_header_extensions_map, sender._RTCRtpSender__mid
        )

    def lose(self) -> None:
        self.lost.set()
        self._on_lost()

    def send(self, burst: Burst) -> bool:
        way = _Way(self._sender.transport, self._datagrams)
        if not way.stands:
            return True  # the connection is on its way to its end
        if way.backlog > MAX_BACKLOG:
            self.dropped += 1
            return False
        if burst.first != self._expected:
            self._since = burst.first
        self._expected = burst.first + len(burst.payloads)
        timestamp = (self._origin + burst.timestamp) % (1 << 32)
        version, extensions = self._extensions.now()
        ssrc, payload_type = self._sender._ssrc, self._payload_type
        sequence, last = self._next, len(burst.payloads) - 1
        octets = 0
        packets = []
        for number, payload in enumerate(burst.payloads):
            marked = payload_type | _MARKER if number == last else payload_type
            header = _HEADER.pack(version, marked, sequence, timestamp, ssrc)
            packets.append(header + extensions + payload)
            sequence = (sequence + 1) % _SEQUENCES
            octets += len(payload)
        way.send(packets)
        self._next = sequence
        self._count(burst, timestamp, octets)
        return True

    def _count(self, burst: Burst, timestamp: int, octets: int) -> None:
        """What the next sender report says. RTP and NTP time are those of the same media time."""
        stream, sender = self.stream, self._sender
        media = (burst.timestamp - stream.delay) / stream.rate
        sender._RTCRtpSender__ntp_timestamp = int((stream.epoch + media + NTP_OFFSET) * (1 << 32))
        sender._RTCRtpSender__rtp_timestamp = timestamp
        sender._RTCRtpSender__packet_count += len(burst.payloads)
        sender._RTCRtpSender__octet_count += octets
        self.packets += len(burst.payloads)
        self.octets += octets

    @property
    def heard(self) -> int:
        """Datagrams that came from the other side: reports, mostly."""
        return int(self._sender.transport._RTCDtlsTransport__rx_packets)

    def retransmit(self, sequence: int) -> None:
        """Send again what had this number (RFC 4588 if negotiated), if it is still known."""
        back = (self._next - sequence) % _SEQUENCES
        number = self._expected - back
        sent = self.stream.sent(number) if number >= self._since else None
        way = _Way(self._sender.transport, self._datagrams)
        if sent is None or not way.stands or way.backlog > MAX_BACKLOG:
            return
        sender = self._sender
        payload, payload_type, ssrc = sent.payload, self._payload_type, sender._ssrc
        rtx = sender._RTCRtpSender__rtx_payload_type
        if rtx is not None:
            payload = struct.pack("!H", sequence) + payload
            payload_type, ssrc = rtx, sender._rtx_ssrc
            sequence = sender._RTCRtpSender__rtx_sequence_number
            sender._RTCRtpSender__rtx_sequence_number = (sequence + 1) % _SEQUENCES
        version, extensions = self._extensions.now()
        marked = payload_type | _MARKER if sent.last else payload_type
        timestamp = (self._origin + sent.timestamp) % (1 << 32)
        header = _HEADER.pack(version, marked, sequence, timestamp, ssrc)
        way.send([header + extensions + payload])
        self.packets += 1
        self.octets += len(payload)
        self.resent += 1


class _Way:
    """The encrypted path of a connection, at this moment."""

    def __init__(self, dtls: Any, datagrams: Datagrams) -> None:
        self._datagrams = datagrams
        pair = dtls.transport._connection._nominated.get(1)
        self.stands = dtls._state == State.CONNECTED and pair is not None
        if self.stands:
            self._transport = pair.protocol.transport
            self._address = pair.remote_addr
            self._protect = dtls._tx_srtp.protect

    def send(self, packets: list[bytes]) -> None:
        self._datagrams.send(self._transport, [*map(self._protect, packets)], self._address)

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        transport = self._transport
        relay = getattr(transport, "_TurnTransport__inner_protocol", None)
        if relay is not None:
            transport = relay.transport
        return int(transport.get_write_buffer_size())


class _Extensions:
    """RTP header extensions as negotiated: which medium it is, and when a packet left."""

    def __init__(self, ids: HeaderExtensionsMap, mid: str | None) -> None:
        none, all_ = (self._block(ids, mid, moment) for moment in (0, 0xFFFFFF))
        self._block_ = none
        self._moment = next((n for n, b in enumerate(none) if b != all_[n]), None)
        self._version = 0x90 if none else 0x80

    @staticmethod
    def _block(ids: HeaderExtensionsMap, mid: str | None, moment: int) -> bytes:
        values = HeaderExtensions()
        values.mid, values.abs_send_time = mid, moment
        profile, block = ids.set(values)
        return struct.pack("!HH", profile, len(block) // 4) + block if block else b""

    def now(self) -> tuple[int, bytes]:
        """First byte of the RTP header, and the extension block for a packet that leaves now."""
        if self._moment is None:
            return self._version, self._block_
        # abs-send-time: seconds modulo 64 in 6.18 bits of fixed point.
        moment = int((time.time() + NTP_OFFSET) * (1 << 18)) & 0xFFFFFF
        block, at = self._block_, self._moment
        return self._version, block[:at] + moment.to_bytes(3, "big") + block[at + 3 :]
