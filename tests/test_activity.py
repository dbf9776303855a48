"""Somebody begins to speak, speaks, pauses, stops; and all the sounds that are nobody."""

from __future__ import annotations

import pytest

from mien.asr.activity import ActivitySettings, SpeechActivity, Stage
from mien.asr.vad import WINDOW, Vad, VadFrame, VadModel
from mien.bench.spoken import spoken_question
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from rooms import STEADY, SUDDEN, joined, noise, spoken_in

MODEL = VadModel()


def changes(pcm: Pcm, settings: ActivitySettings | None = None) -> list[tuple[int, Stage, int]]:
    """(position, stage, last_voice) of every change, in packets of 20 ms."""
    vad, activity = Vad(MODEL), SpeechActivity(settings)
    found: list[tuple[int, Stage, int]] = []
    for at in range(0, len(pcm), 320):
        for frame in vad.push(pcm[at : at + 320]):
            before = activity.stage
            activity.push([frame])
            if activity.stage != before:
                found.append((frame.position, activity.stage, activity.last_voice))
    return found


def window(number: int, probability: float, glimpse: bool = False) -> VadFrame:
    return VadFrame(number * WINDOW, probability, -20.0, 20.0, glimpse=glimpse)


ROOMS: list[tuple[str, dict[str, object]]] = [
    ("en-lips-in-sync", {}),
    ("en-lips-in-sync", {"snr_db": 5}),
    ("zh-shuziren", {"snr_db": 10, "kind": "fan"}),
    ("zh-shuziren", {"dbfs": -35, "snr_db": 30}),
    ("zh-shuziren", {"snr_db": 30, "phone": True}),
]


@pytest.mark.parametrize(("name", "room"), ROOMS, ids=["quiet", "noisy", "fan", "far", "phone"])
def test_speech_is_noticed_and_its_end(name: str, room: dict[str, object]) -> None:
    take = spoken_in(spoken_question(name).pcm, **room)  # type: ignore[arg-type]
    found = changes(take.pcm)
    stages = [stage for _, stage, _ in found]
    assert stages[:2] == ["likely", "sure"] and stages[-1] == "quiet"
    (told, _, _), (sure, _, _), *_, (_, _, last_voice) = found
    assert 0 < told - take.begin < 0.2 * RATE
    assert sure - take.begin < 0.5 * RATE
    assert abs(last_voice - take.end) < 0.3 * RATE


@pytest.mark.parametrize("kind", [*STEADY, *SUDDEN])
def test_what_is_nobody_never_makes_sure(kind: str) -> None:
    found = changes(noise(kind, 8, -25, seed=3))
    assert "sure" not in {stage for _, stage, _ in found}
    if kind in STEADY or kind == "keyboard":
        assert found == []


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [*STEADY, *SUDDEN])
@pytest.mark.parametrize("dbfs", [-15, -40])
def test_what_is_nobody_never_makes_sure_near_and_far(kind: str, dbfs: float) -> None:
    found = changes(noise(kind, 30, dbfs, seed=4))
    assert "sure" not in {stage for _, stage, _ in found}


def test_speech_is_noticed_after_a_long_tone() -> None:
    """What is not speech leaves Silero half deaf, until it forgets."""
    take = spoken_in(spoken_question("zh-ni-shi-shei").pcm)
    tone = noise("tone", 6, -25)
    found = changes(joined([tone, take.pcm]))
    assert [stage for _, stage, _ in found] == ["likely", "sure", "quiet"]


def test_a_likely_sound_that_comes_to_nothing() -> None:
    activity = SpeechActivity()
    activity.push([window(10, 0.02), window(10, 0.3, glimpse=True)])
    assert (activity.stage, activity.speaking, activity.speech_sec) == ("likely", True, 0)
    assert activity.onset == 9 * WINDOW and activity.told == 10 * WINDOW
    activity.push([window(number, 0.1) for number in range(11, 15)])
    assert activity.stage == "likely"
    activity.push([window(15, 0.1)])
    assert (activity.stage, activity.onset, activity.told) == ("quiet", None, None)
    assert activity.last_voice == 0


def test_a_beep_is_no_beginning_unless_it_is_one_beyond_doubt() -> None:
    activity = SpeechActivity()
    beep = {"level_dbfs": -20.0, "rise_db": 20.0, "tonal": True}
    activity.push([VadFrame(160, 0.6, glimpse=True, **beep), VadFrame(512, 0.7, **beep)])
    assert activity.stage == "quiet"
    activity.push([VadFrame(1024, 0.85, **beep)])
    assert activity.stage == "likely"


def test_speech_goes_on_over_a_short_gap_and_counts_only_voice() -> None:
    activity = SpeechActivity()
    activity.push([window(number, 0.9) for number in range(1, 4)])
    assert activity.stage == "likely"
    activity.push([window(4, 0.9)])
    assert (activity.stage, activity.onset) == ("sure", 0)
    activity.push([window(number, 0.1) for number in range(5, 12)])
    assert activity.stage == "sure"
    assert activity.silence_sec(11 * WINDOW) == pytest.approx(7 * WINDOW / RATE)
    activity.push([window(12, 0.45), window(13, 0.3)])  # softer than it had to be to begin
    assert activity.last_voice == 12 * WINDOW
    assert activity.speech_sec == pytest.approx(5 * WINDOW / RATE)
    activity.push([window(number, 0.1) for number in range(14, 20)])
    assert activity.stage == "sure"
    activity.push([window(20, 0.1)])
    assert (activity.stage, activity.speech_sec) == ("quiet", 0)
    assert activity.last_voice == 12 * WINDOW


def test_glimpses_say_nothing_about_speech_that_is_known() -> None:
    activity = SpeechActivity()
    activity.push([window(1, 0.9), window(2, 0.9, glimpse=True), window(3, 0.01, glimpse=True)])
    assert (activity.last_voice, activity.speech_sec) == (WINDOW, WINDOW / RATE)
