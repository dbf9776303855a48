"""Stamps of typed and spoken turns."""

from prometheus_client.parser import text_string_to_metric_families

from mien.server.metrics import Metrics
from mien.trace import ANSWER_STAGES, STAGES, Trace


def test_only_the_first_of_each_stage_counts_and_the_order_is_that_of_the_flow() -> None:
    trace = Trace.spoken(100.0)
    for stage in reversed(STAGES):
        trace.stamp(stage, 100.0 + 0.1 * STAGES.index(stage))
    trace.stamp("turn_end", 107.0)
    stages = trace.milliseconds()
    assert tuple(stages) == STAGES
    assert stages["speech_end"] == 0 and stages["turn_end"] == 200
    assert list(stages.values()) == sorted(stages.values())


def test_typed_turns_know_nothing_of_speech() -> None:
    trace = Trace(5.0)
    for stage in ANSWER_STAGES:
        trace.stamp(stage, 5.25)
    assert trace.milliseconds() == dict.fromkeys(ANSWER_STAGES, 250.0) and not trace.is_spoken


def test_what_was_done_ahead_counts_for_the_turn_that_takes_it() -> None:
    proposal = Trace(99.0)
    proposal.stamp("llm_first_token", 99.5)
    proposal.stamp("first_clause", 100.2)
    trace = Trace.spoken(100.0)
    trace.stamp("turn_end", 100.4)
    trace.adopt(proposal)
    trace.stamp("first_clause", 100.9)
    trace.stamp("first_packet", 100.5)
    assert trace.speculated
    assert trace.milliseconds() == {
        "speech_end": 0,
        "turn_end": 400,
        "llm_first_token": 0,
        "first_clause": 200,
        "first_packet": 500,
    }


async def test_spoken_and_typed_turns_have_histograms_of_their_own() -> None:
    metrics = Metrics(lambda: 0, lambda: 0)
    for trace in (Trace(5.0), Trace.spoken(5.0), Trace.spoken(5.0)):
        trace.stamp("first_packet", 5.5)
        metrics.trace(trace)
    counts = {
        (sample.name, sample.labels["stage"]): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name.endswith("stage_seconds_count")
    }
    assert counts == {
        ("mien_turn_stage_seconds_count", "first_packet"): 1,
        ("mien_spoken_turn_stage_seconds_count", "first_packet"): 2,
        ("mien_spoken_turn_stage_seconds_count", "speech_end"): 2,
    }
