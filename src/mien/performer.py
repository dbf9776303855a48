"""Voice in, ticks out: one per conversation. Never ends, never stalls, idles when silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor

import numpy as np

from mien.avatar.contract import Avatar
from mien.lipsync.contract import LipSync
from mien.media.clock import Clock, WallClock
from mien.media.speech import Heard, SpeechChunk
from mien.media.tick import TICK_SEC, Event, Image, Tick
from mien.media.tick_plan import TickPlan
from mien.media.timeline import Timeline
from mien.painter import Painter

# Ticks drawn ahead of the clock: 120 ms rides out a scheduling hiccup on a busy laptop. More
# would only cost memory, since what is drawn ahead is thrown away when plans change.
LEAD_TICKS = 3
# A first tick of speech waits this long for its picture, then the voice goes first.
PATIENCE_TICKS = 10
# After a jump of the clock (a suspended laptop) ticks are left out rather than hurried through.
JUMP_SEC = 0.5


class Performer:
    """Joins sound and picture once, on the clock.

    avatar, lipsync: shared with other conversations.
    executor: threads the pictures are drawn in.
    on_event: called on the event loop as the tick an event belongs to is emitted.
    draw: whether anybody watches; without pictures the last one repeats at no cost.
    """

    def __init__(
        self,
        avatar: Avatar,
        lipsync: LipSync,
        executor: Executor,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        on_event: Callable[[Event, Tick], None] | None = None,
    ) -> None:
        self.activity = "idle"
        self.draw = True
        self.late_pictures = 0
        self._painter = Painter(avatar, lipsync, seed)
        self._executor = executor
        self._clock = clock or WallClock()
        self._on_event = on_event or (lambda event, tick: None)
        self._timeline = Timeline(lipsync.sample_rate, lipsync.context)
        self._size = avatar.size
        self._waiting_cast: tuple[Avatar, LipSync] | None = None
        self._wake = asyncio.Event()
        self._job: asyncio.Future[None] | None = None
        self._last_image: Image | None = None
        self._last_cutout: Image | None = None
        self._cut_before_clause = False
        self._behind = False  # a picture was late since drawing was last begun
        width, height = self._size
        self._blank = np.zeros((height, width, 3), np.uint8)

    @property
    def generation(self) -> int:
        return self._timeline.generation

    @property
    def avatar(self) -> Avatar:
        """Who is seen, or will be from the next pictures on."""
        return (self._waiting_cast or self._painter.cast)[0]

    @property
    def cut_out(self) -> bool:
        """Whether anybody wants the person without what is behind them, too."""
        return self._painter.cut_out

    @cut_out.setter
    def cut_out(self, wanted: bool) -> None:
        self._painter.cut_out = wanted

    @property
    def first_mouth_at(self) -> float | None:
        """``time.monotonic()`` when the newest speech's first picture was done."""
        return self._painter.first_mouth_at

    @property
    def silent(self) -> bool:
        """Whether everything said has been heard."""
        return self._timeline.silent

    @property
    def queued_sec(self) -> float:
        return self._timeline.queued_sec

    def say(self, chunk: SpeechChunk) -> bool:
        """Append speech; False if its generation is over and it was dropped."""
        accepted = self._timeline.say(chunk)
        self._wake.set()
        return accepted

    def mark(self, event: Event) -> None:
        """Let ``event`` happen when everything said so far has been heard."""
        self._timeline.mark(event)
        self._wake.set()

    @property
    def held(self) -> bool:
        """Whether what is said waits, see :meth:`hold`."""
        return self._timeline.held

    def hold(self) -> None:
        """Fall silent within a tick, and go on from there when released."""
        self._timeline.hold(half_left=not self._half_sent)
        self._wake.set()

    def release(self) -> None:
        """Go on where :meth:`hold` stopped, in sound, picture and events."""
        self._timeline.release()
        self._wake.set()

    @property
    def _half_sent(self) -> bool:
        """Whether the second half of the newest tick's sound is out of reach.

        Outputs send it half a tick after the first, and never before.
        """
        return self._clock.delay(self._timeline.next_index) < TICK_SEC / 2

    def interrupt_before_clause(self) -> Heard:
        """As :meth:`interrupt`, but nothing sounds of the clause whose event is being told."""
        self._cut_before_clause = True
        heard = self._timeline.interrupt(fade=False)
        self._wake.set()
        return heard

    def interrupt(self) -> Heard:
        """Fall silent within a tick; what was said but not heard is forgotten."""
        # What is left of the newest tick is faded out by whoever sends it.
        heard = self._timeline.interrupt(half_left=not self._half_sent)
        self._wake.set()
        return heard

    def end_turn(self) -> Heard:
        """What was heard of the turn that is over; the next turn counts from here."""
        heard = self._timeline.heard()
        self._timeline.forget()
        return heard

    def show(self, avatar: Avatar, lipsync: LipSync) -> None:
        """Go on with another person, mouth or background: from the next picture on.

        An engine that wants other sound takes over, with its person, at the next silence.

        Raises:
            ValueError: when the pictures would have another size.
        """
        if avatar.size != self._size:
            raise ValueError(f"the picture is {self._size}, not {avatar.size}, from the start")
        self._waiting_cast = avatar, lipsync
        self._change_cast()

    def _change_cast(self) -> None:
        if self._waiting_cast is None:
            return
        now, then = self._painter.cast[1], self._waiting_cast[1]
        if (now.sample_rate, now.context) != (then.sample_rate, then.context):
            drawing = self._job is not None and not self._job.done()
            if drawing or not self._timeline.silent:
                return
            self._timeline.retune(then.sample_rate, then.context)
        self._painter.cast, self._waiting_cast = self._waiting_cast, None
        if not self.draw:
            # Whoever comes next must not see who was here before.
            self._last_image = self._last_cutout = None

    async def __aiter__(self) -> AsyncIterator[Tick]:
        self._clock.start()
        try:
            while True:
                await self._wait_until_due()
                plan = self._timeline.emit(self._waits_for_picture)
                yield self._tick(plan)
        finally:
            if self._job is not None:
                await asyncio.wait([self._job])

    async def _wait_until_due(self) -> None:
        while (delay := self._clock.delay(self._timeline.next_index)) > 0:
            self._wake.clear()
            self._change_cast()
            self._draw_ahead()
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                return
        if delay < -JUMP_SEC:
            self._timeline.skip(int(-delay / TICK_SEC))
        # Even a performer that is behind lets others run.
        await asyncio.sleep(0)

    def _waits_for_picture(self, plan: TickPlan) -> bool:
        self._draw_ahead()
        return self.draw and plan.held < PATIENCE_TICKS

    def _tick(self, plan: TickPlan) -> Tick:
        if plan.image is not None:
            self._last_image, self._last_cutout = plan.image, plan.cutout
        elif self.draw and self._last_image is None:
            self._last_image = self._at_rest(plan.index)
        elif self.draw and plan.window is not None:
            self.late_pictures += 1
            self._behind = True
        image = self._blank if self._last_image is None else self._last_image
        cutout = self._last_cutout if self.cut_out else None
        events = tuple(plan.events)
        tick = Tick(plan.index, image, plan.audio, plan.generation, events, cutout)
        for event in plan.events:
            self._on_event(event, tick)
        if self._cut_before_clause:
            self._cut_before_clause = False
            plan.audio[plan.clause_at :] = 0
        return tick

    def _at_rest(self, index: int) -> Image | None:
        """The person in place of a black flash when the audience comes before the first picture.

        Drawn here and now, in some 2 ms, once per conversation.
        """
        try:
            return self._painter.at_rest(index)
        except Exception as error:
            _report("drawing the first picture failed", error)
            return None

    # -- drawing -----------------------------------------------------------------------

    def _draw_ahead(self) -> None:
        """Keep the next ticks planned and, one job at a time, drawn."""
        timeline = self._timeline
        while len(timeline.planned) < LEAD_TICKS:
            timeline.plan()
        if not self.draw or (self._job is not None and not self._job.done()):
            return
        batch = [plan for plan in timeline.planned if not plan.claimed]
        if batch and batch[0].starts:
            batch = batch[:1]  # the first picture of a speech is not kept waiting for others
        if not batch:
            return
        if self._behind:
            # What a slow machine can draw in time is fewer pictures, not all of them too late.
            for plan in batch[:-1]:
                plan.left_out = True
            self._behind = False
        for plan in batch:
            plan.claimed = True
        loop = asyncio.get_running_loop()
        self._job = loop.run_in_executor(self._executor, self._painter.paint, batch, self.activity)
        self._job.add_done_callback(self._drawn)

    def _drawn(self, job: asyncio.Future[None]) -> None:
        self._wake.set()
        if not job.cancelled() and (error := job.exception()) is not None:
            # One bad picture must not end the performance; the last good one stays up.
            _report("drawing a tick failed", error)


def _report(message: str, error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
