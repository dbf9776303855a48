"""What the wait for an answer to a spoken question consists of."""

import json

import pytest
from typer.testing import CliRunner

from mien.bench.cli import bench_app
from mien.bench.latency_mic import PARTS, Wait, Waits
from mien.trace import STAGES

# A brain that takes 0.3 s, heard 0.06 s after the last sound.
STAMPS = {
    "speech_end": 100.06,
    "asr_final": 100.20,
    "turn_end": 100.36,
    "llm_first_token": 100.66,
    "first_clause": 100.68,
    "tts_first_pcm": 100.72,
    "first_mouth": 100.75,
    "first_packet": 100.77,
}


def test_the_parts_are_the_whole_and_the_brain_is_taken_off() -> None:
    wait = Wait(100.0, STAMPS, False, 100.78)
    parts = wait.parts()
    assert sum(parts.values()) == pytest.approx(720)
    assert parts["asr_final"] == pytest.approx(140) and parts["turn_end"] == pytest.approx(160)
    assert wait.brain_ms == pytest.approx(300)
    assert wait.since_speech_end_ms == pytest.approx(420)
    assert wait.since_acoustic_end_ms == pytest.approx(480)
    assert wait.label_ms == pytest.approx(60)


def test_what_was_done_ahead_took_no_time_that_anybody_waited_for() -> None:
    ahead = {**STAMPS, "llm_first_token": 100.0, "first_clause": 100.01, "tts_first_pcm": 100.3}
    wait = Wait(100.0, ahead, True, 100.40)
    assert wait.brain_ms == 0 and wait.since_speech_end_ms == pytest.approx(340)
    assert sum(wait.parts().values()) == pytest.approx(710), "the slowest stage of all decides"
    assert wait.stages()["llm_first_token"] == 0


def test_a_brain_that_thinks_while_it_is_made_sure_counts_for_what_is_left_of_it() -> None:
    early = {**STAMPS, "llm_first_token": 100.46}
    assert Wait(100.0, early, True, 100.78).brain_ms == pytest.approx(100)


def test_figures_have_their_keys() -> None:
    waits = Waits([Wait(100.0, STAMPS, speculated, 100.78) for speculated in (True, False)], 1)
    figures = waits.as_json()
    assert figures["speech_end_to_packet_ms"] == {"p50": 420.0, "p95": 420.0, "n": 2}
    assert tuple(figures["stages"]) == STAGES
    assert len(figures["breakdown_ms"]) == 1 + len(PARTS)
    assert figures["speculated_share"] == 0.5 and figures["unanswered"] == 1


@pytest.mark.thorough
def test_a_spoken_question_is_measured_all_the_way() -> None:
    result = CliRunner().invoke(bench_app, ["latency", "--mic", "--turns", "2", "--json"])
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["speech_end_to_packet_ms"]["n"] + figures["unanswered"] == 2
    assert figures["stages"]["first_packet"]["n"] > 0
    assert figures["recognizer"] == "pocketsphinx"
