"""``mien bench barge-in``, small: a real server, microphone and viewer."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.bench.barge_in_ear import Ear, beeps_in
from mien.bench.barge_in_sounds import audible
from mien.bench.cli import bench_app
from mien.bench.client import SoundPacket
from mien.bench.markers import VOICE_RATE, hum_with_beep
from mien.media.tick import SAMPLE_RATE

runner = CliRunner()
PACKET = SAMPLE_RATE // 50


def hum(numbers: range) -> np.ndarray:
    """float32[n] mono 48 kHz."""
    import soxr

    pieces = [hum_with_beep(number, number == 0) for number in numbers]
    sound = soxr.resample(np.concatenate(pieces), VOICE_RATE, SAMPLE_RATE)
    return np.asarray(sound, np.float32) / 32768


def played(sound: np.ndarray) -> Ear:
    """As it arrives from second 10 on."""
    ear = Ear()
    for begin in range(0, len(sound), PACKET):
        rtp = (begin - 5000) % (1 << 32)
        ear.take(SoundPacket(10 + begin / SAMPLE_RATE, rtp, sound[begin : begin + PACKET]))
    return ear


def test_an_ear_knows_when_the_voice_is_down_and_when_it_is_silent() -> None:
    sound = hum(range(2))[: round(1.4 * SAMPLE_RATE)]
    at = SAMPLE_RATE // 2
    sound[at : at + 960] *= np.linspace(1, 0, 960, dtype=np.float32)
    sound[at + 960 : 2 * at] = 0
    ear = played(sound)
    before = ear.loudness(10.2, 10.5)
    assert before == pytest.approx(0.04, rel=0.1)
    assert ear.down(10.45, 10.9, before) == pytest.approx(10.515, abs=0.005)
    assert 10.51 <= ear.silent(10.45, 10.9) <= 10.525
    assert ear.loudness(10.6, 10.9) == 0
    np.testing.assert_array_equal(ear.sound(), sound)
    ear.forget()
    assert ear.down(10.45, 10.9, before) == 10.45 and len(ear.sound()) == 0


def test_beeps_tell_what_was_held_skipped_or_repeated() -> None:
    sound = hum(range(6))
    whole = beeps_in(sound, 0.04)
    assert whole.numbers == [0, 1, 2, 3, 4, 5]
    assert all(gap.silence == 0 for gap in whole.gaps)
    at = round(1.8 * SAMPLE_RATE)
    held = np.concatenate([sound[:at], np.zeros(SAMPLE_RATE // 2, np.float32), sound[at:]])
    gaps = beeps_in(held, 0.04).gaps
    assert gaps[1].spacing == pytest.approx(whole.gaps[1].spacing + 0.5, abs=0.001)
    assert gaps[1].silence == pytest.approx(0.5, abs=0.011)
    skipped = np.concatenate([sound[:at], sound[at + round(0.8 * SAMPLE_RATE) :]])
    assert beeps_in(skipped, 0.04).numbers in ([0, 1, 3, 4, 5], [0, 1, 2, 4, 5])


def test_speech_begins_where_it_is_within_30_db_of_its_loudest() -> None:
    pcm = np.zeros(16_000, np.int16)
    pcm[4000:8000] = 100
    pcm[8000:12_000] = 10_000
    assert audible(pcm) == (8000, 12_000)


def bench(*options: str) -> dict[str, object]:
    result = runner.invoke(bench_app, ["barge-in", *options, "--json"])
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_an_interruption_is_measured_from_both_ends() -> None:
    found = bench("--interruptions", "1", "--coughs", "0")
    assert found["missed"] == []
    for key in ("duck_ms", "silence_ms", "interrupt_event_ms"):
        assert found[key]["n"] == 1 and found[key]["p50"] > 0  # type: ignore[index]


@pytest.mark.thorough
def test_coughs_and_echo_are_measured_as_well() -> None:
    found = bench("--interruptions", "2", "--coughs", "4", "--echo", "0.05")
    assert found["missed"] == [] and found["reactions"] == 4
    assert found["false_interruptions"] == [] and found["false_answers"] == []
    assert found["answers_with_wrong_text"] == found["beeps_skipped_or_repeated"] == 0
    assert found["echo_speech_sec"] > 0 and found["echo_questions"] == 0  # type: ignore[operator]


def test_nothing_to_measure_is_said() -> None:
    result = runner.invoke(bench_app, ["barge-in", "--interruptions", "0", "--coughs", "0"])
    assert result.exit_code == 2 and "nothing to measure" in result.stderr
