"""One program per conversation: encoded once, handed to any number of outputs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Protocol

from mien.label.badge import Badge
from mien.label.label import UNLABELLED, Label
from mien.media.encoders import OPUS_FRAME_SAMPLES, AacEncoder, OpusEncoder
from mien.media.fade import faded_out
from mien.media.lanes import PictureLane, SoundLane
from mien.media.rendition import Rendition, VideoSettings
from mien.media.subscription import QUEUE_PACKETS, Kind, Subscription
from mien.media.tick import SAMPLES_PER_TICK, TICK_SEC, Pcm, Tick


class Source(Protocol):
    """Where ticks come from (a Performer).

    draw: whether anybody watches. cut_out: whether ticks are to carry a cut-out, too.
    """

    draw: bool
    cut_out: bool

    @property
    def generation(self) -> int: ...
    def __aiter__(self) -> AsyncIterator[Tick]: ...


class Ticks:
    """Raw ticks for one who shows them at once: whoever is late misses some, the newest is kept."""

    def __init__(self) -> None:
        self._newest: deque[Tick] = deque(maxlen=1)
        self._arrived = asyncio.Event()

    def put(self, tick: Tick) -> None:
        self._newest.append(tick)
        self._arrived.set()

    async def get(self) -> Tick:
        while not self._newest:
            self._arrived.clear()
            await self._arrived.wait()
        return self._newest.popleft()


class Program:
    """Encodes ticks once and fans the packets out.

    Encoders start with the first subscriber; with none, ticks pass at next to no cost.
    on_audio: called as each tick's first sound packet leaves (for the latency trace). label: how
    what leaves this machine says that a machine made it.
    """

    def __init__(
        self,
        source: Source,
        size: tuple[int, int],
        executor: Executor,
        video: VideoSettings | None = None,
        on_audio: Callable[[Tick], None] | None = None,
        label: Label = UNLABELLED,
    ) -> None:
        self._epoch: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.shared = Rendition(*size, video=video or VideoSettings())
        self.label = label
        self._source = source
        self._executor = executor
        self._on_audio = on_audio or (lambda tick: None)
        self._sound = {
            "audio": SoundLane("audio", OpusEncoder),
            "aac": SoundLane("aac", AacEncoder),
        }
        self._pictures: dict[Rendition, PictureLane] = {}
        self._encoding: dict[Rendition, asyncio.Task[None]] = {}
        self._leaving: Counter[Rendition] = Counter()
        self._watching: set[Ticks] = set()
        self._taps: set[Callable[[Pcm, float], None]] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._encoded_before = 0
        source.draw = source.cut_out = False

    @property
    def generation(self) -> int:
        return self._source.generation

    @property
    def encoded(self) -> int:
        """Pictures encoded so far, by all encoders."""
        return self._encoded_before + sum(lane.encoded for lane in self._pictures.values())

    @contextmanager
    def subscribe(
        self,
        kind: Kind,
        rendition: Rendition | None = None,
        *,
        whole: bool = False,
        limit: int = QUEUE_PACKETS,
        leaves: bool = False,
    ) -> Iterator[Subscription]:
        """Receive packets from now on; pictures start with a key frame, made at once.

        rendition: None for the shared pictures, as configured. whole: sound of an interrupted
        answer is kept. limit: packets that may wait before all of them are dropped. leaves: these
        pictures leave this machine, see :meth:`leaving`.
        """
        if kind == "video" and leaves:
            with (
                self.leaving(rendition),
                self.subscribe(kind, rendition, whole=whole, limit=limit) as subscription,
            ):
                yield subscription
            return
        if kind == "video":
            picture_lane = self._picture_lane(rendition or self.shared)
            lane: PictureLane | SoundLane = picture_lane
            request = picture_lane.request_keyframe
        else:
            lane, request = self._sound[kind], _nothing_to_request
        subscription = Subscription(
            kind, lambda: self._source.generation, request, whole=whole, limit=limit
        )
        lane.subscriptions.add(subscription)
        self._source.draw = True
        request(True)
        try:
            yield subscription
        finally:
            lane.subscriptions.discard(subscription)
            self._retire()

    @contextmanager
    def leaving(self, rendition: Rendition | None = None) -> Iterator[None]:
        """Meanwhile pictures of this rendition leave this machine: they carry the badge, for all
        who watch, since they are encoded once.
        """
        wanted = rendition or self.shared
        self._leaving[wanted] += 1
        if self._leaving[wanted] == 1 and wanted in self._pictures:
            self._pictures[wanted].request_keyframe(True)
        try:
            yield
        finally:
            self._leaving[wanted] -= 1

    def leaves(self, rendition: Rendition | None = None) -> bool:
        """Whether pictures of this rendition leave this machine."""
        return self._leaving[rendition or self.shared] > 0

    def _badge(self, rendition: Rendition) -> Badge | None:
        return self.label.drawn(self.leaves(rendition))

    @contextmanager
    def ticks(self) -> Iterator[Ticks]:
        """Receive raw ticks from now on, as they are due."""
        ticks = Ticks()
        self._watching.add(ticks)
        self._source.draw = True
        try:
            yield ticks
        finally:
            self._watching.discard(ticks)
            self._retire()

    @contextmanager
    def listening(self, tap: Callable[[Pcm, float], None]) -> Iterator[None]:
        """Have ``tap`` called with all sound as it leaves: int16[960] mono 48 kHz and the
        monotonic seconds. Nobody is drawn for that.
        """
        self._taps.add(tap)
        try:
            yield
        finally:
            self._taps.discard(tap)

    async def started(self) -> float:
        """Unix time of media time 0, the same for all kinds; waits for the first tick."""
        return await asyncio.shield(self._epoch)

    async def run(self) -> None:
        """Run until cancelled. Ends with an error only if the source does."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for lane in self._pictures.values():
                    self._start(lane)
                await self._run_ticks()
            finally:
                self._tasks = None
                for encoding in self._encoding.values():
                    encoding.cancel()
                self._encoding.clear()

    def _picture_lane(self, rendition: Rendition) -> PictureLane:
        lane = self._pictures.get(rendition)
        if lane is None:
            lane = PictureLane(rendition, self._executor, lambda: self._badge(rendition))
            self._pictures[rendition] = lane
            self._source.cut_out |= rendition.cutout
            self._start(lane)
        return lane

    def _start(self, lane: PictureLane) -> None:
        if self._tasks is not None:
            name = f"encode {lane.rendition.width}×{lane.rendition.height} {lane.rendition.codec}"
            self._encoding[lane.rendition] = self._tasks.create_task(lane.run(), name=name)

    def _retire(self) -> None:
        """End what nobody takes any more."""
        for rendition in [r for r, lane in self._pictures.items() if not lane.subscriptions]:
            self._encoded_before += self._pictures.pop(rendition).encoded
            encoding = self._encoding.pop(rendition, None)
            if encoding is not None:
                encoding.cancel()
        self._source.draw = self._wanted
        self._source.cut_out = any(rendition.cutout for rendition in self._pictures)

    @property
    def _wanted(self) -> bool:
        heard = any(lane.subscriptions for lane in self._sound.values())
        return bool(heard or self._pictures or self._watching)

    async def _run_ticks(self) -> None:
        async for tick in self._source:
            due = time.monotonic()
            if not self._epoch.done():
                self._epoch.set_result(time.time() - tick.index * TICK_SEC)
            self._send_sound(tick, 0)
            if not self._wanted:
                continue
            self._on_audio(tick)
            for lane in self._pictures.values():
                lane.send(tick)
            for ticks in self._watching:
                ticks.put(tick)
            await asyncio.sleep(max(0.0, due + TICK_SEC / 2 - time.monotonic()))
            self._send_sound(tick, 1)

    def _send_sound(self, tick: Tick, half: int) -> None:
        begin = half * OPUS_FRAME_SAMPLES
        position = tick.index * SAMPLES_PER_TICK + begin
        pcm = tick.audio[begin : begin + OPUS_FRAME_SAMPLES]
        if tick.generation != self.generation:  # interrupted since the first half
            pcm = faded_out(pcm)
        for lane in self._sound.values():
            lane.send(pcm, position, self.generation, tick.index)
        for tap in self._taps:
            tap(pcm, time.monotonic())


def _nothing_to_request(urgent: bool) -> None:
    """Every packet of sound stands for itself."""
