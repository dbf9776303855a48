"""Silero VAD on one microphone: the same answers as pipecat's, whoever else listens."""

from __future__ import annotations

import numpy as np
import pytest
from pipecat.audio.vad.silero import SileroVADAnalyzer

from mien.asr.vad import WINDOW, Vad, VadFrame, VadModel
from mien.bench.spoken import spoken_question
from mien.media.tick import Pcm
from rooms import joined, noise, silence, spoken_in


@pytest.fixture(scope="module")
def model() -> VadModel:
    return VadModel()


def frames(vad: Vad, pcm: Pcm, packet: int = 320) -> list[VadFrame]:
    return [frame for at in range(0, len(pcm), packet) for frame in vad.push(pcm[at : at + packet])]


def windows(heard: list[VadFrame]) -> list[VadFrame]:
    return [frame for frame in heard if not frame.glimpse]


@pytest.fixture(scope="module")
def talk() -> Pcm:
    """Speech after 5 s that are none, and speech again after 3 s."""
    question, other = (
        spoken_question("en-what-can-you-do").pcm,
        spoken_question("zh-ni-shi-shei").pcm,
    )
    return joined([noise("pink", 5, -50), question, silence(3), other])


def test_it_hears_what_pipecat_hears(model: VadModel, talk: Pcm) -> None:
    """Window by window, over every forgetting of the state."""
    reference = SileroVADAnalyzer(sample_rate=16_000)
    reference.set_sample_rate(16_000)
    whole = talk[: len(talk) // WINDOW * WINDOW].reshape(-1, WINDOW)
    expected = [float(np.squeeze(reference.voice_confidence(w.tobytes()))) for w in whole]
    heard = windows(frames(Vad(model), talk))
    assert [frame.position for frame in heard] == [WINDOW * (n + 1) for n in range(len(whole))]
    np.testing.assert_allclose([frame.probability for frame in heard], expected, atol=1e-6)
    assert max(expected) > 0.9


@pytest.mark.parametrize("packet", [37, 960, 100_000])
def test_packets_of_any_size_are_heard_alike(model: VadModel, talk: Pcm, packet: int) -> None:
    part = talk[3 * 16_000 : 7 * 16_000]
    assert frames(Vad(model), part, packet) == frames(Vad(model), part)


def test_two_microphones_do_not_disturb_each_other(model: VadModel, talk: Pcm) -> None:
    speech, other = talk[4 * 16_000 : 7 * 16_000], noise("fan", 3, -30)
    mine, theirs = Vad(model), Vad(model)
    together: list[VadFrame] = []
    for at in range(0, len(speech), 320):
        together += mine.push(speech[at : at + 320])
        theirs.push(other[at : at + 320])
    assert together == frames(Vad(model), speech)


def test_levels_are_of_full_scale(model: VadModel) -> None:
    sine = 16_384 * np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000)
    (first, *_) = frames(Vad(model), sine.astype(np.int16))
    assert first.level_dbfs == pytest.approx(-9.03, abs=0.05)
    assert first.tonal
    (quiet, *_) = frames(Vad(model), silence(1))
    assert (quiet.level_dbfs, quiet.probability < 0.1, quiet.tonal) == (-100, True, False)
    assert not any(frame.tonal for frame in frames(Vad(model), noise("pink", 2, -30)))


def test_glimpses_are_taken_where_a_sound_begins(model: VadModel) -> None:
    take = spoken_in(spoken_question("en-what-can-you-do").pcm, snr_db=40)
    glimpses = [frame for frame in frames(Vad(model), take.pcm) if frame.glimpse]
    assert all(take.begin < frame.position < take.end + 3_200 for frame in glimpses)
    assert all(frame.rise_db >= 6 for frame in glimpses)
    assert glimpses[0].position < take.begin + 480
    assert [f for f in frames(Vad(model), noise("white", 4, -30)) if f.glimpse] == []


async def test_it_loads_off_the_event_loop() -> None:
    model = VadModel()
    await model.warm_up()
    assert len(Vad(model).push(silence(1))) == 16_000 // WINDOW
