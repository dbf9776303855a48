"""One program per conversation: encoded once, handed to any number of outputs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from av.packet import Packet

from mien.media.encoders import OPUS_FRAME_SAMPLES, H264Encoder, OpusEncoder, VideoSettings
from mien.media.tick import SAMPLES_PER_TICK, TICK_SEC, Tick
from mien.media.timeline import faded_out

if TYPE_CHECKING:
    from collections.abc import Iterator

# Longer than any hiccup worth riding out; a viewer further behind restarts at a key frame.
QUEUE_PACKETS = 100
# Pictures that may wait for the encoder: a hiccup of 100 ms then delays pictures, not drops them.
ENCODE_AHEAD = 3
# A lossy viewer asks again and again; all viewers pay for each key frame.
KEYFRAME_INTERVAL_SEC = 0.25


Kind = Literal["audio", "video"]


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One packet of the program.

    packet: H.264 access unit (Annex B, pts in 1/90000) or Opus packet (pts in 1/48000); both
        clocks are zero at tick 0, so pts alone keeps them in sync.
    """

    kind: Kind
    packet: Packet[Any]
    keyframe: bool
    generation: int
    index: int


class Source(Protocol):
    """Where ticks come from (a Performer)."""

    draw: bool

    @property
    def generation(self) -> int: ...
    def __aiter__(self) -> AsyncIterator[Tick]: ...


class Subscription:
    """One output's bounded queue. A slow output drops to the next key frame, disturbing nobody."""

    def __init__(self, program: Program, kind: Kind) -> None:
        self.kind = kind
        self._program = program
        self._queue: deque[EncodedPacket] = deque()
        self._ready = asyncio.Event()
        self._starts_at_keyframe = True
        self.dropped = 0

    def restart(self) -> None:
        """Forget what is queued and begin anew: sound now, pictures at the next key frame."""
        self._queue.clear()
        if self.kind == "video":
            self._starts_at_keyframe = True
            self._program.request_keyframe(urgent=True)

    def put(self, packet: EncodedPacket) -> None:
        if packet.kind != self.kind:
            return
        if packet.kind == "video" and self._starts_at_keyframe:
            if not packet.keyframe:
                return
            self._starts_at_keyframe = False
        if len(self._queue) >= QUEUE_PACKETS:
            self.dropped += len(self._queue)
            self.restart()
            if packet.kind == "video":
                return
        self._queue.append(packet)
        self._ready.set()

    async def get(self) -> EncodedPacket:
        """The next packet; sound of an interrupted generation is dropped on the way."""
        while True:
            while self._queue:
                packet = self._queue.popleft()
                if packet.kind == "video" or packet.generation == self._program.generation:
                    return packet
            self._ready.clear()
            await self._ready.wait()


class Program:
    """Encodes ticks once and fans the packets out.

    Encoders start with the first subscriber; with none, ticks pass at next to no cost.
    on_audio: called as each tick's first sound packet leaves (for the latency trace).
    """

    def __init__(
        self,
        source: Source,
        size: tuple[int, int],
        executor: Executor,
        video: VideoSettings | None = None,
        on_audio: Callable[[Tick], None] | None = None,
    ) -> None:
        self._epoch: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.encoded = 0
        self._source = source
        self._video_settings = video or VideoSettings()
        self._size = size
        self._executor = executor
        self._on_audio = on_audio or (lambda tick: None)
        self._subscriptions: set[Subscription] = set()
        self._keyframe_wanted = True
        self._last_keyframe = 0.0
        self._pictures: deque[Tick] = deque(maxlen=ENCODE_AHEAD)
        self._picture = asyncio.Event()
        source.draw = False

    @property
    def generation(self) -> int:
        return self._source.generation

    @property
    def viewers(self) -> int:
        return len(self._subscriptions)

    @contextmanager
    def subscribe(self, kind: Kind) -> Iterator[Subscription]:
        """Receive packets from now on; pictures start with a key frame, made at once."""
        subscription = Subscription(self, kind)
        self._subscriptions.add(subscription)
        self._source.draw = True
        self.request_keyframe(urgent=True)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._source.draw = bool(self._subscriptions)

    def request_keyframe(self, urgent: bool = False) -> None:
        """Make the next picture a key frame, unless one has just been made."""
        if urgent or time.monotonic() - self._last_keyframe > KEYFRAME_INTERVAL_SEC:
            self._keyframe_wanted = True

    async def started(self) -> float:
        """Unix time of media time 0, the same for both kinds; waits for the first tick."""
        return await asyncio.shield(self._epoch)

    async def run(self) -> None:
        """Run until cancelled. Ends with an error only if the source does."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._encode_pictures(), name="encode pictures")
            await self._run_ticks()

    async def _run_ticks(self) -> None:
        opus: OpusEncoder | None = None
        async for tick in self._source:
            due = time.monotonic()
            if not self._epoch.done():
                self._epoch.set_result(time.time() - tick.index * TICK_SEC)
            if not self._subscriptions:
                opus = None
                continue
            opus = opus or OpusEncoder()
            self._send_sound(opus, tick, 0)
            self._on_audio(tick)
            self._pictures.append(tick)
            self._picture.set()
            await asyncio.sleep(max(0.0, due + TICK_SEC / 2 - time.monotonic()))
            self._send_sound(opus, tick, 1)

    def _send_sound(self, opus: OpusEncoder, tick: Tick, half: int) -> None:
        begin = half * OPUS_FRAME_SAMPLES
        position = tick.index * SAMPLES_PER_TICK + begin
        pcm = tick.audio[begin : begin + OPUS_FRAME_SAMPLES]
        if tick.generation != self.generation:  # interrupted since the first half
            pcm = faded_out(pcm)
        packet = opus.encode(pcm, position)
        self._publish(EncodedPacket("audio", packet, True, self.generation, tick.index))

    async def _encode_pictures(self) -> None:
        """Encode pictures in order; when that is too slow the oldest are left out, never sound."""
        loop = asyncio.get_running_loop()
        encoder: H264Encoder | None = None
        while True:
            while not self._pictures:
                self._picture.clear()
                await self._picture.wait()
            tick = self._pictures.popleft()
            encoder = encoder or H264Encoder(*self._size, self._video_settings)
            keyframe, self._keyframe_wanted = self._keyframe_wanted, False
            packet = await loop.run_in_executor(
                self._executor, encoder.encode, tick.image, tick.index, keyframe
            )
            if packet is None:
                continue
            self.encoded += 1
            if packet.is_keyframe:
                self._last_keyframe = time.monotonic()
            self._publish(
                EncodedPacket("video", packet, packet.is_keyframe, tick.generation, tick.index)
            )

    def _publish(self, packet: EncodedPacket) -> None:
        for subscription in self._subscriptions:
            subscription.put(packet)
