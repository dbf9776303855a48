"""The measuring kit keeps the product's contracts and its strip survives H.264."""

import itertools

import av
import numpy as np
import pytest

from mien.avatar.contract import Avatar, Pose
from mien.bench.markers import (
    BEEP_EVERY_SEC,
    VOICE_RATE,
    MarkerAvatar,
    MarkerLipSync,
    MarkerVoice,
    hum_with_beep,
)
from mien.bench.strip import HEIGHT, WIDTH, Strip, read_strip, write_strip
from mien.lipsync.contract import LipSync, Mouth, MouthRequest
from mien.media.h264 import H264Encoder
from mien.media.rendition import VideoSettings
from mien.media.speech import SpeechChunk
from mien.media.timeline import Timeline
from mien.tts.voice import Run, Voice


def test_contracts() -> None:
    voice: Voice = MarkerVoice()
    mouth: LipSync = MarkerLipSync()
    avatar: Avatar = MarkerAvatar()
    assert (voice.name, avatar.size, mouth.sample_rate) == ("marker", (512, 512), 16_000)


def test_strip_survives_h264_at_the_lowest_bitrate() -> None:
    encoder = H264Encoder(512, 512, VideoSettings(bitrate=300_000))
    decoder = av.CodecContext.create("h264", "r")
    avatar, life = MarkerAvatar(), MarkerAvatar().life(0)
    random = np.random.default_rng(3)
    said = random.integers(0, [2, 40, 256], (60, 3))
    read = []
    for tick, (flash, ms, beep) in enumerate(said):
        mouth = Mouth(patch=np.array([flash, ms, beep], np.uint8))
        image = avatar.compose(tick, mouth, life.pose(tick, 0.5, "speaking"))
        packet = encoder.encode(image, tick, keyframe=tick == 0)
        assert packet is not None
        for frame in decoder.decode(av.Packet(bytes(packet))):
            read.append(read_strip(frame.to_ndarray()[:512]))
    assert read == [
        Strip(bool(flash), True, int(ms), int(beep), tick % 64)
        for tick, (flash, ms, beep) in enumerate(said)
    ]


def test_picture_without_strip() -> None:
    assert read_strip(np.full((512, 512), 90, np.uint8)) is None
    assert read_strip(np.zeros((10, 512), np.uint8)) is None


@pytest.mark.parametrize("strip", [Strip(False, False, 64, 0, 0), Strip(False, False, 0, 256, 0)])
def test_strip_refuses_what_does_not_fit(strip: Strip) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_strip(np.zeros((HEIGHT, WIDTH, 3), np.uint8), strip)


def test_strip_needs_room() -> None:
    with pytest.raises(ValueError, match="480×20"):
        write_strip(np.zeros((HEIGHT, WIDTH - 2, 3), np.uint8), Strip(False, False, 0, 0, 0))


def test_fading_mouth_does_not_flash_again() -> None:
    mouth = Mouth(patch=np.array([1, 12, 7], np.uint8))
    shown = [
        read_strip(MarkerAvatar().compose(3, m, Pose())[:, :, 0]) for m in (mouth, mouth.faded(0.5))
    ]
    assert shown == [Strip(True, True, 12, 7, 3), Strip(False, False, 0, 0, 3)]


async def test_voice_counts_beeps_and_times_words() -> None:
    voice = MarkerVoice()
    for first in (0, 5):  # the second clause goes on counting
        chunks = [
            chunk
            async for chunk in voice.speak([Run("zh", "一二三四五六七八九十甲乙丙丁戊己庚辛寅卯")])
        ]
        assert len(chunks) == 5
        expected = [hum_with_beep(first + i, i == 0) for i in range(5)]
        assert all(np.array_equal(c.pcm, e) for c, e in zip(chunks, expected, strict=True))
        words = list(itertools.chain.from_iterable(c.words for c in chunks))
        assert [w.begin for w in words] == list(range(20))
        assert all(0 <= w.start < BEEP_EVERY_SEC for w in words)


def test_mouth_on_the_products_timeline() -> None:
    """Every beep is seen once, in its tick, by an engine that knows only its window."""
    mouth = MarkerLipSync()
    timeline = Timeline(mouth.sample_rate, mouth.context)
    numbers = range(90, 130)
    for n in numbers:
        timeline.say(
            SpeechChunk(0, 1, "x", hum_with_beep(n, n == 90), VOICE_RATE, last=n == numbers[-1])
        )
    seen = {}
    while True:
        plan = timeline.plan()
        if plan.window is None:
            break
        audio = plan.window.pcm.astype(np.float32) / 32768
        (shape,) = mouth.render([MouthRequest(audio, None, plan.index)])
        assert shape.patch is not None
        flash, ms, number = (int(v) for v in shape.patch)
        if flash:
            assert number not in seen
            seen[number] = plan.index * 0.04 + ms / 1000
    assert list(seen) == list(numbers)
    for index, (number, at) in enumerate(seen.items()):
        truth = 0.8 * index + 0.3 + number % 8 * 0.0071
        assert abs(at - truth) < 0.0012
