"""A program as fragmented MP4 for players in a page (Media Source Extensions).

Everybody's packets, nothing encoded again: one fragment per packet, so that none waits for the
next. What is not media goes as small text messages in between, see :class:`FragmentStream`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack

from mien.media.encoders import AAC_CONFIG, AAC_FRAME_SAMPLES
from mien.media.fmp4 import AacTrack, Mp4Muxer, Sample
from mien.media.h264 import VIDEO_CLOCK, VIDEO_STEP
from mien.media.program import Program
from mien.media.subscription import EncodedPacket, Subscription
from mien.media.tick import SAMPLE_RATE

# Fragments a reader may be behind with, 1.7 s. Buffers on the way (a proxy's, the system's) take
# megabytes: on a line that is too slow they would fill with half a minute of the past.
IN_FLIGHT = 120
# What players are told a picture lasts; the next one ends it. Behind a hole of more than twice
# this they drop all pictures until a key frame: with the true 40 ms, four that a busy machine left
# out froze Chromium for 3.7 s; so, it shows the last one for 200 ms and goes on.
_LASTS = 10 * VIDEO_STEP

Text = Mapping[str, object]
Send = Callable[[bytes | Text], Awaitable[None]]


class FragmentStream:
    """One reader's stream. ``run`` sends until it is cancelled or ``send`` raises.

    cutout: the figure alone, see ``Rendition``, instead of the shared pictures. leaves: the reader
    is another machine's.
    send: takes a message: bytes of the MP4, or a text message (a JSON object):

        ``start``: an init segment follows, in a message of its own. ``mime``: for
            ``MediaSource.addSourceBuffer``. ``media``: the session's media time, in seconds,
            that is time 0 of the MP4.
        ``cut``: what was being said has been interrupted; whatever is heard before ``at`` (in
            seconds of the MP4) is of the past.

    Fragments begin with a key frame and stay in order of time within each track. After a reader
    has fallen behind they go on later, again with a key frame.
    """

    def __init__(self, send: Send, cutout: bool = False, leaves: bool = False) -> None:
        self.sent = 0
        self.skipped = 0
        self._send = send
        self._cutout = cutout
        self._leaves = leaves
        self._tags: Mapping[str, str] = {}
        self._muxer: Mp4Muxer | None = None
        self._origin = 0.0
        self._epoch = 0.0
        self._begun = asyncio.Event()
        self._generation = 0
        self._last_picture = 0
        self._got: int | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._subscriptions: tuple[Subscription, ...] = ()

    @property
    def now(self) -> float:
        """What is being made now, in seconds of the MP4."""
        return time.time() - self._epoch - self._origin

    @property
    def is_begun(self) -> bool:
        return self._begun.is_set()

    async def begun(self) -> None:
        """Wait until the first key frame has been sent."""
        await self._begun.wait()

    def acknowledge(self, count: int) -> None:
        """The reader has got so many binary messages. Who never says so is not waited for."""
        self._got = count
        if not self._flowing.is_set() and count >= self.sent:
            for subscription in self._subscriptions:
                subscription.restart()
            self._flowing.set()

    async def run(self, program: Program) -> None:
        self._epoch = await program.started()
        self._generation = program.generation
        rendition = program.shared.as_cutout() if self._cutout else None
        if self._leaves and (element := program.label.element()):
            self._tags = {"AIGC": element}
        with ExitStack() as stack:
            # Sound of an interrupted answer too: a hole in it would stop pictures as well.
            sound = stack.enter_context(program.subscribe("aac", whole=True))
            video = program.subscribe("video", rendition, leaves=self._leaves)
            pictures = stack.enter_context(video)
            self._subscriptions = (sound, pictures)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_pictures(pictures), name="fragments of pictures")
                tasks.create_task(self._send_sound(sound), name="fragments of sound")

    async def _send_pictures(self, pictures: Subscription) -> None:
        while True:
            packet = await self._next(pictures)
            pts = _pts(packet)
            if not packet.keyframe and pts - self._last_picture > 2 * _LASTS:
                pictures.restart()
                continue
            self._last_picture = pts
            data = bytes(packet.packet)
            if self._muxer is None:
                self._muxer = Mp4Muxer(data, AacTrack(AAC_CONFIG), self._tags)
                self._origin = pts / VIDEO_CLOCK
                await self._send(
                    {"type": "start", "mime": self._muxer.mime, "media": round(self._origin, 3)}
                )
                await self._send_bytes(self._muxer.init())
            shifted = pts - round(self._origin * VIDEO_CLOCK)
            sample = Sample("video", shifted, _LASTS, packet.keyframe, data)
            await self._send_bytes(self._muxer.fragment([sample]))
            self._begun.set()

    async def _send_sound(self, sound: Subscription) -> None:
        await self.begun()
        assert self._muxer is not None
        while True:
            packet = await self._next(sound)
            pts = _pts(packet) - round(self._origin * SAMPLE_RATE)
            if pts < 0:
                continue
            if packet.generation != self._generation:
                self._generation = packet.generation
                await self._send({"type": "cut", "at": round(pts / SAMPLE_RATE, 3)})
            sample = Sample("audio", pts, AAC_FRAME_SAMPLES, True, bytes(packet.packet))
            await self._send_bytes(self._muxer.fragment([sample]))

    async def _next(self, subscription: Subscription) -> EncodedPacket:
        """The next packet that is to be sent, which is none while the reader is behind."""
        while True:
            packet = await subscription.get()
            if self._flowing.is_set() and self._got is not None:
                if self.sent - self._got > IN_FLIGHT:
                    self._flowing.clear()
            if self._flowing.is_set():
                return packet
            self.skipped += 1

    async def _send_bytes(self, data: bytes) -> None:
        self.sent += 1
        await self._send(data)


def _pts(packet: EncodedPacket) -> int:
    pts = packet.packet.pts
    assert pts is not None, "the program stamps every packet"
    return pts
