"""A program on the air at an RTMP server."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping

from mien.media.annexb import ParameterSets, parameter_sets
from mien.media.h264 import VIDEO_CLOCK
from mien.media.output import Figure
from mien.media.program import Program
from mien.media.rendition import Rendition
from mien.media.rtmp import faults, flv
from mien.media.rtmp.connection import Connection, connect
from mien.media.rtmp.url import Target, parse_target
from mien.media.subscription import EncodedPacket, Subscription
from mien.media.tick import SAMPLE_RATE

# Later than this behind the program, a stream is brought to the present: a viewer sees one jump
# instead of a delay that only grows.
LATE_SEC = 1.0
# Stamps have 32 bits, and FFmpeg's readers stop where the upper one comes to be used: a new time
# line every 24.8 days, which viewers see as a reconnect.
LONGEST_MS = (1 << 31) - 60_000


class RtmpOutput:
    """Publishes to one address.

    url: ``rtmp://`` or ``rtmps://``, see :mod:`mien.media.rtmp.url`. key: the stream key, unless
    it is the address's last part. rendition: None for the program's shared pictures. tls: for
    rtmps, instead of the system's authorities.

    Raises:
        OutputError: "bad_url".
    """

    kind = "rtmp"

    def __init__(
        self,
        url: str,
        key: str | None = None,
        rendition: Rendition | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._target = parse_target(url, key)
        self._rendition = rendition
        self._tls = tls
        self._attempt: _Broadcast | None = None

    @property
    def label(self) -> str:
        return self._target.label

    async def run(self, program: Program, on_live: Callable[[], None]) -> None:
        """See :class:`mien.media.output.Output`."""
        self._attempt = None
        connection = await connect(self._target, self._tls)
        bitrate = (self._rendition or program.shared).video.bitrate
        element = program.label.element()
        tags = {"AIGC": element} if element else {}
        try:
            with (
                program.subscribe("video", self._rendition, leaves=True) as pictures,
                program.subscribe("aac") as sound,
            ):
                self._attempt = _Broadcast(
                    self._target, connection, pictures, sound, bitrate, tags, on_live
                )
                await self._attempt.run()
        except asyncio.CancelledError:
            await connection.leave()
            raise
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            connection.abort()

    def figures(self) -> dict[str, Figure]:
        """Of this attempt. bytes: sent; dropped: pictures left out; queue_ms: how long what is
        queued takes to send; rtt_ms: to the server, where the system tells."""
        return self._attempt.figures() if self._attempt else {"bytes": 0, "dropped": 0}


class _Broadcast:
    """One connection's share of the program, on a time line of its own."""

    def __init__(
        self,
        target: Target,
        connection: Connection,
        pictures: Subscription,
        sound: Subscription,
        bitrate: int,
        tags: Mapping[str, str],
        on_live: Callable[[], None],
    ) -> None:
        self._target = target
        self._connection = connection
        self._pictures = pictures
        self._sound = sound
        self._bitrate = bitrate
        self._tags = tags
        self._on_live = on_live
        self._begun = time.monotonic()
        self._sets: ParameterSets | None = None
        self._origin: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._earliest = float("inf")
        self._index: int | None = None
        self._dropped = 0

    async def run(self) -> None:
        """Until cancelled. Raises an ExceptionGroup of what ends it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_pictures(), name="rtmp pictures")
            tasks.create_task(self._send_sound(), name="rtmp sound")
            tasks.create_task(self._connection.ended(), name="rtmp end")
            tasks.create_task(self._connection.stalled(), name="rtmp stall")

    def figures(self) -> dict[str, Figure]:
        connection = self._connection
        sec = max(1.0, time.monotonic() - self._begun)
        figures: dict[str, Figure] = {
            "bytes": connection.sent,
            "dropped": self._dropped,
            "queue_ms": round(1000 * connection.queued * sec / max(1, connection.sent)),
        }
        if (rtt := connection.rtt_ms) is not None:
            figures["rtt_ms"] = round(rtt, 1)
        return figures

    async def _send_pictures(self) -> None:
        while True:
            packet = await self._pictures.get()
            await self._connection.writable()
            at = _seconds(packet, VIDEO_CLOCK)
            if self._late(at):
                continue
            data = bytes(packet.packet)
            if packet.keyframe:
                self._introduce(data, at)
            assert self._sets is not None  # a subscription begins with a key frame
            body = flv.picture(data, packet.keyframe, self._sets)
            self._connection.send_picture(body, self._stamp(at))
            if self._index is None:
                self._on_live()
            else:
                self._dropped += packet.index - self._index - 1
            self._index = packet.index

    def _introduce(self, keyframe: bytes, at: float) -> None:
        """Say how this stream is to be decoded: at its beginning, and where that changes."""
        sets = parameter_sets(keyframe)
        connection = self._connection
        if self._sets is not None and self._stamp(at) > LONGEST_MS:
            raise faults.clock_full(self._target)
        if sets == self._sets:
            return
        if self._sets is None:
            self._origin.set_result(at)
            connection.send_data(flv.metadata(sets, self._bitrate, tags=self._tags))
            connection.send_sound(flv.sound_header(), 0)
        self._sets = sets
        connection.send_picture(flv.picture_header(sets), self._stamp(at))

    async def _send_sound(self) -> None:
        origin = await self._origin
        while True:
            packet = await self._sound.get()
            await self._connection.writable()
            at = _seconds(packet, SAMPLE_RATE)
            # Sound from before the first picture, queued while that was being encoded.
            if at >= origin and not self._late(at):
                self._connection.send_sound(flv.sound(bytes(packet.packet)), self._stamp(at))

    def _stamp(self, at: float) -> int:
        """Milliseconds since this broadcast began."""
        return round(1000 * (at - self._origin.result()))

    def _late(self, at: float) -> bool:
        """Whether the packet of media time ``at`` comes too late; all that is queued goes then."""
        behind = time.monotonic() - at
        self._earliest = min(self._earliest, behind)
        if behind - self._earliest < LATE_SEC:
            return False
        # What comes next is the present again, also where all of the program fell behind.
        self._earliest = float("inf")
        self._pictures.restart()
        self._sound.restart()
        return True


def _seconds(packet: EncodedPacket, rate: int) -> float:
    assert packet.packet.pts is not None
    return packet.packet.pts / rate
