"""The performer and the program: pacing, late pictures, stale items, slow outputs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien.avatar.contract import Pose
from mien.lipsync.contract import Mouth, MouthRequest, MouthShape
from mien.media.encoders import OpusEncoder
from mien.media.h264 import VIDEO_STEP
from mien.media.program import Program
from mien.media.rendition import VideoSettings
from mien.media.speech import SpeechChunk
from mien.media.subscription import QUEUE_PACKETS, EncodedPacket, Subscription
from mien.media.tick import SAMPLES_PER_TICK, Event, Tick
from mien.performer import Performer


class Stillness:
    def __init__(self) -> None:
        self.gestures: list[str] = []

    def pose(self, tick: int, energy: float, activity: str) -> Pose:
        return Pose()

    def gesture(self, name: str) -> None:
        self.gestures.append(name)


class Face:
    """64×64; bright while speaking. ``block`` holds every picture back until it is set."""

    name, size = "face", (64, 64)

    def __init__(self, red: int = 0) -> None:
        self.red = red
        self.block = threading.Event()
        self.block.set()
        self.drawn: list[int] = []
        self.fail_at: int | None = None

    def life(self, seed: int) -> Stillness:
        return Stillness()

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> np.ndarray:
        self.block.wait(60)
        self.drawn.append(tick)
        if self.fail_at is not None and tick >= self.fail_at:
            self.fail_at = None
            raise RuntimeError("no paint left")
        level = 200 if mouth is not None and mouth.weight == 1 else 20
        picture = np.full((64, 64, 3), level, np.uint8)
        picture[..., 0] = self.red or level
        return picture


class Lips:
    context = (0.1, 0.1)

    def __init__(self, sample_rate: int = 16_000) -> None:
        self.sample_rate = sample_rate
        self.batches: list[int] = []
        self.heard: list[np.ndarray] = []

    def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
        self.batches.append(len(batch))
        self.heard += [request.audio for request in batch]
        return [Mouth(MouthShape(openness=0.5)) for _ in batch]

    def rest(self, frame: int) -> None:
        """The avatar's own resting face."""


@pytest.fixture
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(4)


def speech(seconds: float, generation: int = 0, level: int = 5000) -> SpeechChunk:
    pcm = np.full(round(48_000 * seconds), level, np.int16)
    return SpeechChunk(generation, 1, "说", pcm, 48_000, (), last=True)


async def collect(performer: Performer, ticks: int) -> list[Tick]:
    out: list[Tick] = []
    stream: AsyncIterator[Tick] = performer.__aiter__()
    async for tick in stream:
        out.append(tick)
        if len(out) == ticks:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return out


async def test_ticks_come_at_their_pace_and_speech_is_drawn(threads: ThreadPoolExecutor) -> None:
    lips = Lips()
    performer = Performer(Face(), lips, threads)
    asyncio.get_running_loop().call_later(0.2, performer.say, speech(0.4))
    start = time.monotonic()
    ticks = await collect(performer, 25)
    assert time.monotonic() - start > 0.9
    assert [tick.index for tick in ticks] == list(range(25))
    speaking = [tick for tick in ticks if tick.audio.any()]
    assert len(speaking) == 10
    assert all(tick.image[0, 0, 0] == 200 for tick in speaking), "each sound with its own picture"
    assert all(tick.image.any() for tick in ticks), "never black, not even the first"
    assert lips.batches[0] == 1, "the first picture of a speech is not kept waiting"


async def test_late_pictures_repeat_the_last_and_sound_goes_on(threads: ThreadPoolExecutor) -> None:
    face = Face()
    performer = Performer(face, Lips(), threads)
    loop = asyncio.get_running_loop()
    performer.say(speech(1.0))
    loop.call_later(0.2, face.block.clear)
    loop.call_later(0.7, face.block.set)
    ticks = await collect(performer, 30)
    sound = np.concatenate([tick.audio for tick in ticks])
    first = int(np.flatnonzero(sound)[0])
    assert sound[first : first + 48_000].all(), "not a sample of silence within the speech"
    assert performer.late_pictures > 3


async def test_a_slow_machine_shows_fewer_pictures_in_time(threads: ThreadPoolExecutor) -> None:
    class SlowLips(Lips):
        def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
            time.sleep(0.07 * len(batch))
            return super().render(batch)

    face = Face()
    performer = Performer(face, SlowLips(), threads)
    performer.say(speech(2.0))
    ticks = await collect(performer, 60)
    speaking = [tick for tick in ticks if tick.audio.any()]
    shown = {id(tick.image) for tick in speaking}
    assert len(shown) > 15, "a picture every third tick or so, instead of a frozen face"
    assert performer.late_pictures > 10


async def test_a_picture_that_cannot_be_drawn_ends_nothing(threads: ThreadPoolExecutor) -> None:
    face = Face()
    performer = Performer(face, Lips(), threads)
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    face.fail_at = 5
    ticks = await collect(performer, 20)
    assert len(ticks) == 20 and errors
    assert max(face.drawn) > 10, "drawing went on"


async def test_another_person_takes_over_in_the_middle_of_a_word(
    threads: ThreadPoolExecutor,
) -> None:
    lips = Lips()
    performer = Performer(Face(red=101), lips, threads)
    performer.say(speech(1.0))
    asyncio.get_running_loop().call_later(0.6, performer.show, Face(red=102), lips)
    ticks = await collect(performer, 35)
    shown = [int(tick.image[0, 0, 0]) for tick in ticks]
    assert shown == sorted(shown) and {101, 102} == set(shown), "one cut, no black, no flicker"
    assert 13 <= shown.index(102) <= 22
    cut = ticks[shown.index(102)]
    assert cut.audio.any() and cut.image[0, 0, 1] == 200, "and the mouth goes on speaking"
    sound = np.concatenate([tick.audio for tick in ticks])
    first = int(np.flatnonzero(sound)[0])
    assert sound[first : first + 48_000].all(), "not a sample is lost"
    with pytest.raises(ValueError, match="64"):
        wide = Face()
        wide.size = (128, 64)
        performer.show(wide, lips)


async def test_an_engine_that_wants_other_sound_takes_over_in_the_next_silence(
    threads: ThreadPoolExecutor,
) -> None:
    performer = Performer(Face(red=101), Lips(), threads)
    other = Lips(sample_rate=8_000)
    performer.say(speech(0.6))
    loop = asyncio.get_running_loop()
    loop.call_later(0.2, performer.show, Face(red=102), other)
    loop.call_later(1.0, performer.say, speech(0.4, level=16_000))
    ticks = await collect(performer, 45)
    spoken = [(int(t.image[0, 0, 0]), int(t.audio[0])) for t in ticks if t.audio.all()]
    assert {red for red, level in spoken if level == 5000} == {101}
    assert {red for red, level in spoken if level == 16_000} == {102}
    window = other.heard[4]
    assert len(window) == round((0.1 + 0.04 + 0.1) * 8_000)
    assert np.allclose(window, 16_000 / 32_768, atol=0.001), "the speech, at its own rate"


async def test_an_interruption_is_silent_within_a_tick_and_fades_the_mouth(
    threads: ThreadPoolExecutor,
) -> None:
    performer = Performer(Face(), Lips(), threads)
    performer.say(speech(5.0))
    cut: list[int] = []

    def interrupt() -> None:
        performer.interrupt()
        cut.append(performer._timeline.next_index)

    asyncio.get_running_loop().call_later(0.5, interrupt)
    ticks = await collect(performer, 30)
    assert performer.generation == 1
    after = [tick for tick in ticks if tick.index >= cut[0]]
    sound = np.concatenate([tick.audio for tick in after])
    assert np.count_nonzero(sound) < 0.006 * 48_000
    assert all(tick.generation == 1 for tick in after)
    assert after[6].image[0, 0, 0] == 20


async def test_late_items_of_an_old_generation_die_at_every_hop(
    threads: ThreadPoolExecutor,
) -> None:
    seen: list[str] = []
    performer = Performer(
        Face(), Lips(), threads, on_event=lambda event, tick: seen.append(event.name)
    )
    performer.say(speech(3.0))
    performer.mark(Event("old mark", {}))
    stream = performer.__aiter__()
    await anext(stream)
    performer.interrupt()
    assert not performer.say(speech(1.0, generation=0)), "stale speech is refused"
    old_plan_sound = [(await anext(stream)).audio.any() for _ in range(10)]
    assert not any(old_plan_sound[1:]), "stale plans are gone"
    await stream.aclose()  # type: ignore[attr-defined]
    assert "old mark" not in seen, "stale events do not happen"

    program = Program(performer, (64, 64), threads)
    with program.subscribe("audio") as subscription:
        opus = OpusEncoder()
        for generation in (0, 1):
            [packet] = opus.encode(np.zeros(960, np.int16), 960 * generation)
            subscription.put(EncodedPacket("audio", packet, True, generation, 0))
        assert (await subscription.get()).generation == 1, "stale packets are not sent"


class Ticking:
    """A source of ticks at will."""

    draw = False
    generation = 0

    def __init__(self, count: int = 10_000) -> None:
        self._count = count
        self.went = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Tick]:
        rng = np.random.default_rng(0)
        for index in range(self._count):
            image = rng.integers(0, 255, (64, 64, 3), np.uint8)
            yield Tick(index, image, np.full(SAMPLES_PER_TICK, 1000, np.int16), 0)
            await asyncio.sleep(0.005)
            self.went.set()


async def test_nothing_is_encoded_or_drawn_without_an_audience(threads: ThreadPoolExecutor) -> None:
    source = Ticking()
    program = Program(source, (64, 64), threads)
    running = asyncio.create_task(program.run())
    await asyncio.sleep(0.2)
    assert program.encoded == 0 and not source.draw
    with program.subscribe("video") as subscription:
        assert source.draw
        first = await asyncio.wait_for(subscription.get(), 60)
        assert first.keyframe, "a late joiner starts at a key frame"
    assert not source.draw
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_output_gets_the_same_packets_and_a_slow_one_only_harms_itself(
    threads: ThreadPoolExecutor,
) -> None:
    program = Program(Ticking(), (64, 64), threads, VideoSettings(keyframe_sec=10))
    running = asyncio.create_task(program.run())
    with program.subscribe("video") as fast, program.subscribe("video") as slow:
        got: list[int] = []
        while len(got) < 2 * QUEUE_PACKETS:
            packet = await asyncio.wait_for(fast.get(), 60)
            got.append(packet.index)
            assert packet.packet.pts == packet.index * VIDEO_STEP
        assert slow.dropped and not fast.dropped
        resumed = await asyncio.wait_for(slow.get(), 60)
        assert resumed.keyframe, "after a gap a picture can only start at a key frame"
        assert resumed.index > got[0]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_requested_keyframe_comes_soon_but_not_more_often_than_allowed(
    threads: ThreadPoolExecutor,
) -> None:
    program = Program(Ticking(), (64, 64), threads, VideoSettings(keyframe_sec=10))
    running = asyncio.create_task(program.run())

    async def keyframes(subscription: Subscription, packets: int) -> int:
        count = 0
        for _ in range(packets):
            subscription.request_keyframe()  # a receiver that asks with every packet
            count += (await asyncio.wait_for(subscription.get(), 60)).keyframe
        return count

    with program.subscribe("video") as subscription:
        assert (await subscription.get()).keyframe
        await asyncio.sleep(0.3)
        assert 1 <= await keyframes(subscription, 60) <= 20
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
