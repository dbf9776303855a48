"""Encoded once for all; other sizes beside it; AAC whose stamps are those of its samples."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from mien.media.encoders import AAC_CONFIG, AAC_FRAME_SAMPLES, AacEncoder
from mien.media.fitting import fitted
from mien.media.h264 import SOFTWARE, VIDEO_STEP, H264Encoder, chosen_encoder, trouble_with
from mien.media.profiles import PROFILES, ProfileError, rendition_for
from mien.media.program import Program
from mien.media.rendition import Fit, Rendition, VideoSettings
from mien.media.subscription import Subscription
from mien.media.tick import FPS, SAMPLE_RATE
from ticking import FlashBeep, counted

SIZE = 320, 240


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@contextmanager
def running(program: Program) -> Iterator[None]:
    task = asyncio.get_running_loop().create_task(program.run())
    try:
        yield
    finally:
        task.cancel()


async def packets(subscription: Subscription, count: int) -> list[av.Packet]:
    async with asyncio.timeout(60):
        return [(await subscription.get()).packet for _ in range(count)]


def shown(received: list[av.Packet]) -> list[int]:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    frames = [frame for packet in [*received, None] for frame in decoder.decode(packet)]
    return [counted(frame.to_ndarray(format="rgb24")) for frame in frames]


async def test_equal_renditions_share_one_encoder(threads: ThreadPoolExecutor) -> None:
    program = Program(FlashBeep(SIZE), SIZE, threads)
    small = Rendition(160, 120)
    with running(program):
        with program.subscribe("video") as one, program.subscribe("video") as two:
            first, second = await packets(one, 10), await packets(two, 10)
            assert [bytes(p) for p in first] == [bytes(p) for p in second]
            assert program.encoded <= 13
            assert [p.pts for p in first] == [n * VIDEO_STEP for n in shown(first)]
            with program.subscribe("video", small) as three:
                other = await packets(three, 5)
                assert other[0].is_keyframe and shown(other)[0] * VIDEO_STEP == other[0].pts
        before = program.encoded
        await asyncio.sleep(0.2)
        assert program.encoded - before <= 3 and not program._source.draw


async def test_whoever_shows_raw_pictures_gets_the_newest(threads: ThreadPoolExecutor) -> None:
    program = Program(FlashBeep(SIZE), SIZE, threads)
    with running(program), program.ticks() as ticks:
        missed, last = 0, (await ticks.get()).index
        while missed < 3:  # a busy machine may make none in that time
            await asyncio.sleep(0.3)
            later = await ticks.get()
            missed, last = later.index - last - 1, later.index
        assert counted(later.image) == later.index


def test_aac_gives_each_sample_the_stamp_it_came_with() -> None:
    encoder = AacEncoder()
    start = 7 * SAMPLE_RATE
    pcm = np.zeros(SAMPLE_RATE, np.int16)
    pcm[24_000:24_480] = 20_000 * np.sin(np.arange(480) * 2 * np.pi / 48)
    received = [
        packet
        for begin in range(0, len(pcm), 960)
        for packet in encoder.encode(pcm[begin : begin + 960], start + begin)
    ]
    assert received[0].pts == start - AAC_FRAME_SAMPLES
    assert np.diff([p.pts for p in received]).tolist() == [AAC_FRAME_SAMPLES] * (len(received) - 1)
    decoder = av.CodecContext.create("aac", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.extradata = AAC_CONFIG
    decoder.sample_rate = SAMPLE_RATE
    sound = np.concatenate([f.to_ndarray()[0] for p in received for f in decoder.decode(p)])
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    assert loud[0] - AAC_FRAME_SAMPLES == pytest.approx(24_000, abs=48)
    assert loud[-1] - AAC_FRAME_SAMPLES == pytest.approx(24_480, abs=96)


def test_aac_starts_anew_after_a_jump() -> None:
    encoder = AacEncoder()
    encoder.encode(np.zeros(1500, np.int16), 0)
    [first, *_] = encoder.encode(np.zeros(3000, np.int16), 96_000)
    assert first.pts == 96_000 - AAC_FRAME_SAMPLES


def test_a_figure_is_never_distorted() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    image[100:200, 100:200] = 255
    cases: tuple[tuple[Fit, int, int, int], ...] = (
        ("cover", 200, 400, 133 * 133),
        ("contain", 400, 200, 67 * 67),
    )
    for fit, width, height, white in cases:
        rows, columns = np.nonzero(fitted(image, width, height, fit)[..., 0] > 127)
        assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1), fit
        assert len(rows) == pytest.approx(white, rel=0.05), fit
    assert fitted(image, 300, 300, "cover") is image


def test_profiles_by_name() -> None:
    assert rendition_for("source") is None and rendition_for(None) is None
    portrait = PROFILES["1080p-portrait"]
    assert (portrait.width, portrait.height) == (1080, 1920)
    assert (PROFILES["480p"].width, PROFILES["480p"].height) == (854, 480)
    with pytest.raises(ProfileError, match="360p, 480p") as refused:
        rendition_for("4k")
    assert "4k" in refused.value.zh


def test_a_profile_keeps_to_its_rate_even_for_noise() -> None:
    profile = PROFILES["360p"]
    encoder = H264Encoder(profile.width, profile.height, profile.video)
    noise = np.random.default_rng(0).integers(0, 255, (profile.height, profile.width, 3), np.uint8)
    sizes, keys = [], []
    for index in range(3 * FPS):
        packet = encoder.encode(np.roll(noise, 40 * index, 0), index, index == 0)
        assert packet is not None
        sizes.append(packet.size)
        keys.append(packet.is_keyframe)
    assert sum(sizes[FPS:]) * 8 / 2 == pytest.approx(profile.video.bitrate, rel=0.2)
    assert [index for index, key in enumerate(keys) if key] == [0, 2 * FPS]


def test_an_encoder_that_does_not_work_here_is_replaced() -> None:
    assert trouble_with(SOFTWARE, 320, 240) is None, "the trial itself passes a good encoder"
    assert trouble_with("h264_of_nobody", 320, 240)
    assert chosen_encoder("h264_of_nobody", 320, 240) == SOFTWARE
    name = chosen_encoder("auto", 320, 240)
    assert H264Encoder(320, 240, VideoSettings()).name == name


def test_a_graphics_card_that_fails_midway_is_replaced_at_a_key_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = H264Encoder(320, 240, VideoSettings(encoder=SOFTWARE))
    picture = FlashBeep(SIZE).picture
    assert encoder.encode(picture(0), 0, True)
    encoder.name = "h264_nvenc"
    encoder._codec = av.CodecContext.create("mjpeg", "w")  # cannot take what it is given
    after = encoder.encode(picture(1), 1, False)
    assert after is not None and after.is_keyframe and encoder.name == SOFTWARE
