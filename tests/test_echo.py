"""What comes back of our own voice, and whoever speaks over it. Sound at hand, no real time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from mien.asr.echo import Echo
from mien.bench.echo import cleaned_by_echo, echo_alone, pcm_of, talk, talk_over
from mien.bench.echo_path import EchoPath, Samples
from mien.bench.spoken import spoken_questions
from mien.media.microphone import RATE

NOBODY = {"likely": 0, "sure": 0, "voiced": 0}


@pytest.fixture(scope="module")
def played() -> Samples:
    return asyncio.run(talk(12))


@pytest.fixture(scope="module")
def question() -> Samples:
    return (spoken_questions("en")[0].pcm / 32768).astype(np.float32)


@pytest.mark.parametrize(
    "path",
    [
        EchoPath(delays_sec=(0.0,)),
        EchoPath(delays_sec=(0.3,), reverb_sec=0.5, small_speaker=True),
        EchoPath(delays_sec=(0.06, 0.3), hold_sec=7),
        EchoPath(cancelled=True, drift_ppm=100),
    ],
    ids=["at once", "late, from a small loudspeaker in a room", "jumps", "badly cancelled"],
)
def test_nobody_is_heard_where_only_we_speak(played: Samples, path: EchoPath) -> None:
    found = echo_alone(played, path)
    assert {key: found[key] for key in NOBODY} == NOBODY
    arrives = path.delays_sec[-1] * 1000
    # Packets come up to 20 ms late, and the first one sets the clock.
    assert arrives - 10 <= found["delay_ms"] <= arrives + 50


def test_without_it_the_same_echo_is_somebody(
    played: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Echo, "clean", lambda self, pcm, at: pcm)
    found = echo_alone(played, EchoPath())
    assert found["sure"] >= 2 and found["voiced"] > 100


def test_whoever_speaks_over_us_is_heard(played: Samples, question: Samples) -> None:
    found = talk_over(np.concatenate((played, played)), EchoPath(), [question], 12)
    assert found["spoken"] >= 1 and found["missed"] == 0
    assert found["late_ms_p50"] < 100
    assert found["kept"] > 0.9 and found["snr_db"] > 8


def test_what_comes_in_silence_is_left_as_it_is(question: Samples) -> None:
    echo, pcm = Echo(), pcm_of(question)
    for begin in range(0, len(pcm) - 320, 320):
        echo.played(np.zeros(320, np.int16), begin / RATE)
        came = pcm[begin : begin + 320]
        assert echo.clean(came, begin / RATE) is came
    assert echo.delay is None


def test_whoever_speaks_right_after_us_keeps_every_sample(
    played: Samples, question: Samples
) -> None:
    ours = played[: 6 * RATE].copy()
    ours[5 * RATE :] = 0
    microphone = EchoPath().echo(ours, np.random.default_rng(0))
    begin = 6 * RATE
    microphone = np.concatenate((microphone, question))
    cleaned, _ = cleaned_by_echo(np.concatenate((ours, np.zeros_like(question))), microphone)
    audible = begin + spoken_questions("en")[0].begin
    # Half a second later nothing of what was played can be there.
    assert np.array_equal(cleaned[audible + RATE // 2 :], pcm_of(microphone)[audible + RATE // 2 :])
    off = cleaned[audible:].astype(float) - pcm_of(microphone)[audible:]
    assert np.sum(off**2) < 0.01 * np.sum(cleaned[audible:].astype(float) ** 2)


@pytest.mark.parametrize("n", [1, 100, 159, 160, 161, 441, 5000])
def test_as_much_comes_out_as_goes_in_and_at_most_10_ms_later(played: Samples, n: int) -> None:
    echo = Echo()
    leaves, comes = pcm_of(played[: 2 * RATE]), pcm_of(played[: 2 * RATE] * np.float32(3))
    out = []
    if n == 1:
        leaves, comes = leaves[:800], comes[:800]
    for begin in range(0, len(comes), n):
        echo.played(leaves[begin : begin + n], begin / RATE)
        came = comes[begin : begin + n]
        out.append(echo.clean(came, (begin + len(came)) / RATE))
        assert len(out[-1]) == len(came) and out[-1].dtype == np.int16
    whole = np.concatenate(out)
    assert np.abs(whole).max() <= 32767
    assert len(whole) == len(comes)


def test_the_first_packets_that_come_together_do_not_hide_the_delay(played: Samples) -> None:
    echo, path = Echo(), EchoPath(delays_sec=(0.2,))
    leaves, comes = pcm_of(played), pcm_of(path.echo(played, np.random.default_rng(0)))
    for begin in range(0, len(comes), 320):
        echo.played(leaves[begin : begin + 320], begin / RATE)
        echo.clean(comes[begin : begin + 320], max(0.3, (begin + 320) / RATE))
    assert echo.delay == pytest.approx(0.2, abs=0.03)


def test_an_echo_is_as_loud_and_as_late_as_asked(played: Samples) -> None:
    for path in (EchoPath(-10, (0.1,)), EchoPath(-10, (0.1,), opus=True)):
        echo = replace(path, level_db=-10).echo(played, np.random.default_rng(0))
        ratio = np.sum(echo**2) / np.sum(played**2)
        assert 10 * np.log10(ratio) == pytest.approx(-10, abs=1)
        size = 2 * len(played)
        both = np.fft.rfft(played, size).conj() * np.fft.rfft(echo, size)
        assert np.argmax(np.fft.irfft(both)) == pytest.approx(1600, abs=3)
