"""The measuring beep: found to the sample, numbered, through resampling and Opus."""

import numpy as np
import pytest
import soxr

from mien.bench.markers import FIRST_BEEP_SEC, VOICE_RATE, hum_with_beep
from mien.bench.signals import MARK_SEC, find_beeps, mark
from mien.media.encoders import OPUS_DELAY_SAMPLES, OPUS_FRAME_SAMPLES, OpusEncoder


def _placed(number: int, at: int, rate: int) -> np.ndarray:
    sound = np.zeros(rate // 2, np.float32)
    marking = mark(number, rate)
    sound[at : at + len(marking)] = marking
    return sound


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("number", [0, 1, 0b10101010, 254, 255])
def test_onset_and_number(rate: int, number: int) -> None:
    at = rate // 10 + 7
    (beep,) = find_beeps(_placed(number, at, rate), rate)
    assert beep.number == number
    assert abs(beep.position - at) / rate < 0.0003


def test_silence_and_speech_like_sound_have_no_beeps() -> None:
    random = np.random.default_rng(0)
    hum = (0.3 * np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000)).astype(np.float32)
    noise = (0.05 * random.standard_normal(48_000)).astype(np.float32)
    assert find_beeps(np.zeros(48_000, np.float32), 48_000) == []
    assert find_beeps(hum + noise, 48_000) == []


def test_cut_mark_has_no_number() -> None:
    at, rate = 4000, 48_000
    sound = _placed(200, at, rate)[: at + round(0.6 * MARK_SEC * rate)]
    (beep,) = find_beeps(sound, rate)
    assert beep.number is None


def test_two_windows_on_the_same_sound_agree() -> None:
    """A beep at the border of two ticks must be claimed by exactly one of them."""
    rate, tick = 16_000, 640
    for at in range(3195, 3206):
        sound = _placed(5, at, rate)
        found = []
        for begin in (3200 - tick, 3200):
            window = sound[begin - 320 : begin + tick + 2000]
            found += [
                begin for b in find_beeps(window, rate) if 0 <= round(b.position) - 320 < tick
            ]
        assert len(found) == 1


@pytest.mark.parametrize("target", [16_000, 48_000])
def test_through_the_resampler(target: int) -> None:
    pcm = np.concatenate([hum_with_beep(n, n == 64) for n in (64, 128, 192)])
    out = soxr.resample(pcm.astype(np.float32) / 32768, VOICE_RATE, target)
    beeps = find_beeps(out, target)
    assert [b.number for b in beeps] == [64, 128, 192]
    for index, beep in enumerate(beeps):
        assert beep.position / target == pytest.approx(0.8 * index + FIRST_BEEP_SEC, abs=0.0004)


def test_through_the_products_opus() -> None:
    """The codec keeps the number, and delays by exactly what the product subtracts."""
    import av

    at, numbers = 9600, (37, 202)
    sound = np.concatenate([_placed(n, at, 48_000) for n in numbers])
    pcm = np.round(sound * 32767).astype(np.int16)
    encoder = OpusEncoder()
    decoder = av.CodecContext.create("libopus", "r")
    decoder.format, decoder.layout, decoder.sample_rate = "s16", "stereo", 48_000
    heard = []
    for begin in range(0, len(pcm), OPUS_FRAME_SAMPLES):
        [packet] = encoder.encode(pcm[begin : begin + OPUS_FRAME_SAMPLES], begin)
        for frame in decoder.decode(av.Packet(bytes(packet))):
            heard.append(frame.to_ndarray().reshape(-1, 2)[:, 0])
    beeps = find_beeps(np.concatenate(heard).astype(np.float32) / 32768, 48_000)
    assert [b.number for b in beeps] == list(numbers)
    for index, beep in enumerate(beeps):
        late = beep.position - (at + index * 24_000) - OPUS_DELAY_SAMPLES
        assert abs(late) / 48_000 < 0.001
