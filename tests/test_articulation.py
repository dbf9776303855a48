"""How much is articulated: little in noises of the mouth, more and more in speech."""

import numpy as np
import pytest

from mien.asr.articulation import Articulation
from mien.bench.mouth_noises import NOISES
from mien.bench.spoken import spoken_questions
from mien.media.microphone import RATE
from mien.media.tick import Pcm


def content(pcm: Pcm, step: int = 320, before: int = RATE) -> float:
    """Of a sound after a second of silence, pushed in pieces."""
    articulation = Articulation()
    articulation.push(np.zeros(before, np.int16))
    articulation.begin(before)
    for begin in range(0, len(pcm), step):
        articulation.push(pcm[begin : begin + step])
    return articulation.content


def question(name: str, seconds: float = 3.0) -> Pcm:
    spoken = next(one for one in spoken_questions() if one.name == name)
    return spoken.pcm[spoken.begin : spoken.begin + round(seconds * RATE)]


@pytest.mark.parametrize("name", ["en-lips-in-sync", "en-a-story", "zh-zenme-huan-shengyin"])
def test_speech_says_more_than_any_noise(name: str) -> None:
    assert content(question(name, 1.5)) > 1


def test_noises_of_the_mouth_say_little() -> None:
    for name, noise in NOISES.items():
        said = [content(noise(np.random.default_rng(seed))) for seed in range(8)]
        assert max(said) < 0.8, name
        assert np.median(said) < 0.55, name


def test_pieces_of_any_size_say_the_same() -> None:
    pcm = question("en-a-story")
    whole = content(pcm, len(pcm))
    for step in (1, 7, 160, 999):
        assert content(pcm[: RATE // 2], step) == pytest.approx(
            content(pcm[: RATE // 2], RATE), rel=1e-9
        )
    assert content(pcm, 320) == pytest.approx(whole, rel=1e-9)


def test_loudness_and_a_telephone_change_little() -> None:
    pcm = question("en-lips-in-sync", 0.8)
    whole = content(pcm)
    assert content((pcm // 16).astype(np.int16)) == pytest.approx(whole, rel=0.25)
    spectrum = np.fft.rfft(pcm)
    spectrum[np.fft.rfftfreq(len(pcm), 1 / RATE) > 3400] = 0
    narrow = np.fft.irfft(spectrum, len(pcm)).astype(np.int16)
    assert content(narrow) == pytest.approx(whole, rel=0.35)


def test_what_was_before_the_beginning_counts_nothing() -> None:
    articulation = Articulation()
    articulation.push(question("en-a-story"))
    assert articulation.content == 0
    end = len(question("en-a-story"))
    articulation.begin(end)
    articulation.push(np.zeros(RATE, np.int16))
    assert articulation.content == 0


def test_it_counts_from_a_beginning_that_is_noticed_late() -> None:
    pcm = question("en-lips-in-sync", 0.8)
    late = Articulation()
    late.push(np.zeros(RATE, np.int16))
    late.push(pcm[: RATE // 5])
    late.begin(RATE)
    late.push(pcm[RATE // 5 :])
    assert late.content == pytest.approx(content(pcm), rel=1e-9)


def test_it_counts_no_further_once_ended() -> None:
    articulation = Articulation()
    articulation.begin(0)
    articulation.push(question("en-a-story", 0.5))
    articulation.end()
    before = articulation.content
    articulation.push(question("en-a-story"))
    assert articulation.content == before > 0
    articulation.begin(round(3.4 * RATE))
    assert articulation.content == 0
