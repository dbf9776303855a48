"""Speech that waits: it fades out, stays where it is, and goes on there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.speech import Phone, SpeechChunk, Word
from mien.media.tick import SAMPLES_PER_TICK, Event
from mien.media.tick_plan import TickPlan
from mien.media.timeline import HALF_TICK, Timeline

SAID = (np.arange(48_000) % 6001 + 500).astype(np.int16)  # a second
WORDS = tuple(Word(i, i + 1, i / 10, (i + 1) / 10) for i in range(10))
TEXT = "零一二三四五六七八九"


def telling(**more: object) -> Timeline:
    timeline = Timeline(voice_rate=48_000, context=(0.1, 0.1))
    phones = tuple(Phone(str(i), i / 10, (i + 1) / 10) for i in range(10))
    more = {"phones": phones, "words": WORDS, "last": True, **more}
    timeline.say(SpeechChunk(0, 1, TEXT, SAID, 48_000, **more))  # type: ignore[arg-type]
    timeline.mark(Event("turn", {"turn": 1}))
    return timeline


def emit(timeline: Timeline, ticks: int) -> list[TickPlan]:
    """Emitted as by a performer, some ticks planned ahead."""
    plans = []
    for _ in range(ticks):
        while len(timeline.planned) < 3:
            timeline.plan()
        plans.append(timeline.emit())
    return plans


def joined(plans: list[TickPlan], begin: int, end: int) -> np.ndarray:
    """The sound without what is between, the fade at ``end`` laid over the one at ``begin``."""
    out = np.concatenate([plan.audio.astype(np.int32) for plan in plans])
    out[begin : begin + HALF_TICK] += out[end : end + HALF_TICK]
    return np.concatenate([out[: begin + HALF_TICK], out[end + HALF_TICK :]])


@pytest.mark.parametrize("half_left", [True, False])
def test_what_was_held_goes_on_with_every_sample_and_every_event_once(half_left: bool) -> None:
    timeline = telling()
    plans = emit(timeline, 6)
    timeline.hold(half_left)
    silent = emit(timeline, 20)
    timeline.release()
    rest = emit(timeline, 30)
    assert not any(plan.window for plan in silent)
    assert not np.concatenate([plan.audio for plan in silent])[HALF_TICK:].any()
    begin = 6 * SAMPLES_PER_TICK - (HALF_TICK if half_left else 0)
    out = joined([*plans, *silent, *rest], begin, 26 * SAMPLES_PER_TICK)
    np.testing.assert_array_equal(out[: len(SAID)], SAID)
    assert not out[len(SAID) :].any()
    events = [event for plan in [*plans, *silent, *rest] for event in plan.events]
    words = [event.data["begin"] for event in events if event.name == "word"]
    assert words == list(range(10))
    assert [event.name for event in events if event.name != "word"] == ["clause", "turn"]


@pytest.mark.parametrize("half_left", [True, False])
def test_lips_go_on_with_the_voice(half_left: bool) -> None:
    timeline = telling()
    emit(timeline, 6)
    timeline.hold(half_left)
    emit(timeline, 9)
    timeline.release()
    first, second = emit(timeline, 2)
    at = 6 * SAMPLES_PER_TICK - (HALF_TICK if half_left else 0)
    assert first.starts and not second.starts
    for plan, position in ((first, at), (second, at + SAMPLES_PER_TICK)):
        assert plan.window is not None and plan.window.position == position
        around = slice(position - 4800, position + SAMPLES_PER_TICK + 4800)
        np.testing.assert_array_equal(plan.window.pcm, SAID[around])
        spoken = [p for p in plan.window.phones or () if p.start <= 0.001 < p.end]
        assert [p.symbol for p in spoken] == [str(int((position / 48_000 + 0.001) * 10))]


def test_what_is_said_meanwhile_waits() -> None:
    timeline = telling(last=False)
    emit(timeline, 3)
    timeline.hold(half_left=True)
    timeline.say(SpeechChunk(0, 1, TEXT, SAID, 48_000, last=True))
    assert not any(plan.window for plan in emit(timeline, 40))
    timeline.release()
    out = np.concatenate([plan.audio for plan in emit(timeline, 60)])
    assert np.count_nonzero(out) == pytest.approx(2 * len(SAID) - 2.5 * SAMPLES_PER_TICK, abs=2)


def test_held_in_silence_nothing_begins_until_released() -> None:
    timeline = Timeline()
    timeline.hold(half_left=False)
    timeline.say(SpeechChunk(0, 1, TEXT, SAID, 48_000, last=True))
    timeline.mark(Event("turn", {"turn": 1}))
    held = emit(timeline, 5)
    assert not any(plan.audio.any() or plan.events for plan in held)
    timeline.release()
    plans = emit(timeline, 26)
    np.testing.assert_array_equal(np.concatenate([p.audio for p in plans])[: len(SAID)], SAID)


def test_an_end_that_is_reached_while_held_waits_too() -> None:
    timeline = telling()
    emit(timeline, 25)
    timeline.hold(half_left=False)
    assert not any(plan.events for plan in emit(timeline, 5))
    timeline.release()
    assert [e.name for plan in emit(timeline, 5) for e in plan.events] == ["turn"]


@pytest.mark.parametrize("ticks", [1, 6, 13])
@pytest.mark.parametrize("half_left", [True, False])
def test_interrupted_while_held_only_what_sounded_was_heard(ticks: int, half_left: bool) -> None:
    timeline = telling()
    emit(timeline, ticks)
    timeline.hold(half_left)
    seconds = (ticks * SAMPLES_PER_TICK - (HALF_TICK if half_left else 0)) / 48_000
    emit(timeline, 4)
    heard = timeline.interrupt()
    assert heard.seconds == pytest.approx(seconds)
    assert heard.text == "".join(TEXT[w.begin] for w in WORDS if w.start < seconds)
    assert not heard.complete and not timeline.held
    assert not any(plan.audio.any() for plan in emit(timeline, 5))


@pytest.mark.parametrize("half_left", [True, False])
def test_half_a_tick_that_an_interruption_keeps_from_sounding_was_not_heard(
    half_left: bool,
) -> None:
    timeline = telling(words=(Word(0, 1, 0.0, 0.03), Word(1, 2, 0.03, 0.1)))
    emit(timeline, 1)
    assert timeline.interrupt(half_left=half_left).text == TEXT[: 1 if half_left else 2]
    assert emit(timeline, 1)[0].audio.any() != half_left


def test_an_interruption_right_after_a_hold_leaves_its_fade_alone() -> None:
    timeline = telling()
    emit(timeline, 2)
    timeline.hold(half_left=False)
    timeline.interrupt()
    out = emit(timeline, 1)[0].audio
    assert abs(np.diff(out[: HALF_TICK + 10].astype(np.int32))).max() < 50
    assert out[0] == SAID[2 * SAMPLES_PER_TICK] and not out[HALF_TICK:].any()


def test_an_aside_is_told_as_such_and_is_no_part_of_what_was_heard() -> None:
    timeline = Timeline()
    pcm = SAID[: 4 * SAMPLES_PER_TICK]
    timeline.say(SpeechChunk(0, 1, "嗯，", pcm, 48_000, last=True, aside=True))
    timeline.say(SpeechChunk(0, 2, "好。", pcm, 48_000, last=True))
    plans = emit(timeline, 8)
    told = [e.data for plan in plans for e in plan.events if e.name == "clause"]
    assert [data.get("aside", False) for data in told] == [True, False]
    assert timeline.heard().text == "好。"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5), st.booleans()), max_size=6))
def test_however_often_it_is_held_everything_is_heard_once(
    holds: list[tuple[int, int, bool]],
) -> None:
    timeline = telling()
    plans: list[TickPlan] = []
    for speaking, waiting, half_left in holds:
        plans += emit(timeline, speaking)
        timeline.hold(half_left)
        timeline.hold(half_left)
        plans += emit(timeline, waiting)
        timeline.release()
    plans += emit(timeline, 40)
    total = np.concatenate([plan.audio for plan in plans]).astype(np.int64).sum()
    assert total == SAID.astype(np.int64).sum(), "what fades out and what fades in make one whole"
    words = [e.data["begin"] for plan in plans for e in plan.events if e.name == "word"]
    assert words == list(range(10))
    assert timeline.heard().text == TEXT and timeline.silent
