"""The timeline: speech on a tape, ticks planned ahead, taken back, cut and accounted for."""

import numpy as np
import pytest

from mien.media.fade import FADE_SAMPLES
from mien.media.speech import Phone, SpeechChunk, Word
from mien.media.tick import SAMPLES_PER_TICK, TICK_SEC, Event
from mien.media.tick_plan import TickPlan
from mien.media.timeline import Timeline


def tone(seconds: float, level: int = 8000) -> np.ndarray:
    return np.full(round(seconds * 48_000), level, np.int16)


def chunk(
    pcm: np.ndarray, *, clause: int = 1, generation: int = 0, last: bool = True, **more: object
) -> SpeechChunk:
    text = str(more.pop("text", "你好"))
    return SpeechChunk(generation, clause, text, pcm, 48_000, last=last, **more)  # type: ignore[arg-type]


def emit(timeline: Timeline, ticks: int) -> list[TickPlan]:
    return [timeline.emit() for _ in range(ticks)]


def sound_of(plans: list[TickPlan]) -> np.ndarray:
    return np.concatenate([plan.audio for plan in plans])


def test_ticks_are_numbered_without_gaps_and_silent_without_speech() -> None:
    plans = emit(Timeline(), 5)
    assert [plan.index for plan in plans] == [0, 1, 2, 3, 4]
    assert all(plan.window is None and not plan.audio.any() for plan in plans)
    assert all(len(plan.audio) == SAMPLES_PER_TICK for plan in plans)


def test_every_sample_said_comes_out_once_and_in_order() -> None:
    timeline = Timeline(voice_rate=48_000)
    said = (np.arange(48_000 // 2) % 7001 + 1).astype(np.int16)
    for begin in range(0, len(said), 777):
        timeline.say(chunk(said[begin : begin + 777], last=begin + 777 >= len(said)))
    out = sound_of(emit(timeline, 20))
    start = int(np.flatnonzero(out)[0])
    assert start == 0
    np.testing.assert_array_equal(out[: len(said)], said)
    assert not out[len(said) :].any()


def test_silence_planned_ahead_is_taken_back_when_speech_arrives() -> None:
    timeline = Timeline()
    for _ in range(5):
        timeline.plan()
    timeline.say(chunk(tone(0.2)))
    assert timeline.emit().window is not None


def test_clauses_follow_each_other_without_a_gap() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.05), clause=1))
    timeline.say(chunk(tone(0.05), clause=2))
    out = sound_of(emit(timeline, 3))
    assert np.count_nonzero(out) == 2 * round(0.05 * 48_000)
    assert out[: round(0.1 * 48_000)].all()


def test_an_unfinished_clause_waits_for_its_look_ahead_and_a_finished_one_does_not() -> None:
    timeline = Timeline(context=(0.1, 0.1))
    timeline.say(chunk(tone(0.1), last=False))
    assert not timeline.speech_ready
    timeline.say(chunk(tone(0.07), last=False))
    assert timeline.speech_ready
    finished = Timeline(context=(0.1, 0.1))
    finished.say(chunk(tone(0.02)))
    assert finished.speech_ready


def test_sound_goes_on_when_only_the_look_ahead_is_missing() -> None:
    timeline = Timeline(context=(0.0, 0.2))
    timeline.say(chunk(tone(0.4), last=False))
    plans = emit(timeline, 10)
    spoken = [plan for plan in plans if plan.window is not None]
    assert len(spoken) == 10, "a voice must not stutter because a mouth wants to look further"


def test_an_underrun_pauses_whole_ticks_and_resumes() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.1), last=False))
    plans = emit(timeline, 5)
    assert [plan.window is not None for plan in plans] == [True, True, False, False, False]
    timeline.say(chunk(tone(0.1), last=True))
    rest = sound_of(emit(timeline, 5))
    assert np.count_nonzero(sound_of(plans)) + np.count_nonzero(rest) == round(0.2 * 48_000)


def test_an_interruption_ends_the_sound_with_a_short_fade() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(2.0)))
    emit(timeline, 3)
    heard = timeline.interrupt()
    assert heard.seconds == pytest.approx(3 * TICK_SEC)
    assert not heard.complete
    after = sound_of(emit(timeline, 3))
    assert after[0] > 0 and after[FADE_SAMPLES - 1] == 0
    assert not after[FADE_SAMPLES:].any()


def test_stale_speech_is_refused_and_new_speech_accepted() -> None:
    timeline = Timeline()
    timeline.interrupt()
    assert not timeline.say(chunk(tone(1), generation=0))
    assert timeline.silent
    assert timeline.say(chunk(tone(0.1), generation=1))
    assert timeline.emit().generation == 1


def test_words_are_told_in_the_tick_they_begin_in() -> None:
    timeline = Timeline()
    words = (Word(0, 1, 0.0, 0.1), Word(1, 2, 0.10, 0.2))
    timeline.say(chunk(tone(0.2), words=words))
    events = [[e.name for e in plan.events] for plan in emit(timeline, 5)]
    assert events == [["clause", "word"], [], ["word"], [], []]


def test_nothing_is_told_of_a_clause_before_its_first_sound() -> None:
    """A slow voice: what has come of it is less than the mouth wants to know ahead."""
    timeline = Timeline(context=(0.1, 0.1))
    timeline.mark(Event("turn", {}))
    words = (Word(0, 3, 0.0, 0.5),)
    timeline.say(chunk(tone(0.05), last=False, words=words))
    waiting = emit(timeline, 4)
    assert [event.name for plan in waiting for event in plan.events] == ["turn"]
    timeline.say(chunk(tone(0.4), last=False))
    plan = timeline.emit()
    assert [event.name for event in plan.events] == ["clause", "word"] and plan.audio.any()


def test_words_at_an_underrun_wait_for_their_sound() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.08), last=False))
    emit(timeline, 4)
    timeline.say(chunk(tone(0.01), last=False, words=(Word(0, 1, 0.0, 0.1),)))
    assert not timeline.emit().events
    timeline.say(chunk(tone(0.1)))
    assert [event.name for event in timeline.emit().events] == ["word"]


def test_gestures_are_told_in_the_tick_of_the_word_they_lead() -> None:
    timeline = Timeline()
    text = "你好，很高兴见到你。"
    words = (Word(0, 1, 0.0, 0.1), Word(1, 2, 0.1, 0.2), Word(3, 4, 0.3, 0.4))
    gestures = ((0, "smile"), (2, "nod"), (3, "laugh"), (9, "sad"))
    timeline.say(chunk(tone(0.2), text=text, words=words[:2], last=False, gestures=gestures))
    late = (Word(3, 4, 0.1, 0.2),)  # of a second chunk
    timeline.say(chunk(tone(0.28), text=text, words=late, gestures=gestures))
    timeline.mark(Event("turn", {}))
    happened = [
        (tick, event.name, event.data.get("name"))
        for tick, plan in enumerate(emit(timeline, 14))
        for event in plan.events
        if event.name != "clause"
    ]
    assert happened == [
        (0, "gesture", "smile"),
        (0, "word", None),
        (2, "word", None),
        (7, "gesture", "nod"),
        (7, "gesture", "laugh"),
        (7, "word", None),
        (12, "gesture", "sad"),
        (12, "turn", None),
    ]


def test_gestures_of_a_silent_clause_happen_at_its_end() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.08), clause=1))
    timeline.say(chunk(tone(0.0), clause=2, text="😀", gestures=((0, "smile"),)))
    names = [[e.name for e in plan.events] for plan in emit(timeline, 4)]
    assert names == [["clause"], [], ["clause", "gesture"], []]


def test_an_interruption_forgets_gestures_that_were_not_reached() -> None:
    timeline = Timeline()
    words = (Word(0, 1, 0.0, 0.1), Word(1, 2, 0.2, 0.3))
    gestures = ((0, "smile"), (1, "nod"))
    timeline.say(chunk(tone(0.4), words=words, gestures=gestures))
    for _ in range(8):
        timeline.plan()
    told = [event.data.get("name") for plan in emit(timeline, 3) for event in plan.events]
    timeline.interrupt()
    told += [event.data.get("name") for plan in emit(timeline, 20) for event in plan.events]
    assert "smile" in told and "nod" not in told


def test_heard_text_ends_with_the_last_word_that_began() -> None:
    words = tuple(Word(i, i + 1, i * 0.1, i * 0.1 + 0.1) for i in range(4))
    timeline = Timeline()
    timeline.say(chunk(tone(0.4), words=words, text="春眠不觉，", clause=1))
    timeline.say(chunk(tone(0.4), words=words, text="晓处处闻。", clause=2))
    emit(timeline, 3)  # 120 ms: two words have begun
    assert timeline.heard().text == "春眠"
    emit(timeline, 8)  # 440 ms: the first clause is over, one word of the second has begun
    heard = timeline.interrupt()
    assert heard.text == "春眠不觉，晓"
    assert not heard.complete


def test_a_heard_turn_is_complete_and_the_next_counts_from_zero() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.1), text="好。"))
    emit(timeline, 4)
    assert timeline.heard() == timeline.heard().__class__("好。", pytest.approx(0.1), True)
    timeline.forget()
    assert timeline.heard().text == ""
    timeline.say(chunk(tone(0.1), text="再见。", clause=2))
    emit(timeline, 4)
    assert timeline.heard().text == "再见。"


def test_forgetting_in_the_middle_of_speech_is_refused() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(1)))
    timeline.emit()
    with pytest.raises(RuntimeError):
        timeline.forget()


def test_a_mark_happens_after_everything_said_before_it() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.1)))
    timeline.mark(Event("turn", {}))
    names = [[event.name for event in plan.events] for plan in emit(timeline, 5)]
    assert names == [["clause"], [], [], ["turn"], []]
    timeline.mark(Event("alone", {}))
    assert [event.name for event in timeline.emit().events] == ["alone"]


def test_a_word_timed_past_the_end_of_its_sound_does_not_hold_up_the_turn() -> None:
    timeline = Timeline()
    words = (Word(0, 1, 0.0, 0.1), Word(1, 2, 3.0, 3.1))
    timeline.say(chunk(tone(0.1), words=words))
    timeline.mark(Event("turn", {}))
    names = [event.name for plan in emit(timeline, 5) for event in plan.events]
    assert names == ["clause", "word", "word", "turn"]


def test_marks_in_silence_that_is_taken_back_are_not_lost() -> None:
    timeline = Timeline()
    timeline.mark(Event("first", {}))
    timeline.plan()
    timeline.say(chunk(tone(0.1)))
    names = [event.name for plan in emit(timeline, 3) for event in plan.events]
    assert names == ["first", "clause"]


def test_the_window_holds_the_voice_around_the_tick_and_its_phones() -> None:
    timeline = Timeline(voice_rate=16_000, context=(0.1, 0.1))
    ramp = np.repeat(np.arange(1, 1001, dtype=np.int16), 48)  # 1 ms steps
    timeline.say(chunk(ramp, phones=(Phone("a", 0.2, 0.3), Phone("b", 0.6, 0.7))))
    plans = emit(timeline, 6)
    window = plans[5].window  # the tick at 0.2 s
    assert window is not None and len(window.pcm) == round((0.1 + TICK_SEC + 0.1) * 16_000)
    assert window.pcm[1600 + 160] == pytest.approx(211, abs=2)  # 10 ms into the tick
    assert window.phones == (Phone("a", pytest.approx(0.0), pytest.approx(0.1)),)  # type: ignore[arg-type]
    first = plans[0].window
    assert first is not None and not first.pcm[:1600].any(), "before the speech there is silence"


def test_other_rates_are_resampled_without_losing_length() -> None:
    timeline = Timeline(voice_rate=16_000)
    pcm = (8000 * np.sin(np.arange(22_050) * 2 * np.pi * 440 / 22_050)).astype(np.int16)
    for begin in range(0, len(pcm), 1323):
        piece = pcm[begin : begin + 1323]
        last = begin + 1323 >= len(pcm)
        timeline.say(SpeechChunk(0, 1, "啊", piece, 22_050, (), last=last))
    out = sound_of(emit(timeline, 30))
    sounding = np.flatnonzero(np.abs(out) > 500)
    assert sounding[-1] - sounding[0] == pytest.approx(48_000, abs=200)


def test_speech_waits_for_its_first_picture_but_not_for_later_ones() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.2)))
    timeline.plan()
    waited = timeline.emit(lambda plan: plan.held < 2)
    assert waited.window is None and waited.index == 0
    assert timeline.emit(lambda plan: plan.held < 2).window is None
    first = timeline.emit(lambda plan: plan.held < 2)
    assert first.starts and first.index == 2
    assert timeline.emit(lambda plan: True).window is not None


def test_a_jump_of_the_clock_leaves_out_ticks_not_speech() -> None:
    timeline = Timeline()
    timeline.say(chunk(tone(0.12)))
    timeline.emit()
    timeline.skip(100)
    plans = emit(timeline, 2)
    assert [plan.index for plan in plans] == [101, 102]
    assert all(plan.window is not None for plan in plans)


def test_memory_of_played_speech_is_released() -> None:
    timeline = Timeline()
    for second in range(60):
        timeline.say(chunk(tone(1.0), clause=second))
        emit(timeline, 25)
    assert len(timeline._tape._buffer) < 10 * 48_000
    assert len(timeline._voice._buffer) < 10 * 48_000


# -- phones that come after their sound ------------------------------------------------------


def phones_at(timeline: Timeline, tick: int) -> list[tuple[str, float, float]]:
    """What the window of one tick tells, in milliseconds of the tape."""
    window = emit(timeline, tick + 1)[tick].window
    assert window is not None and window.phones is not None
    start = 1000 * tick * TICK_SEC
    return [
        (p.symbol, round(start + 1000 * p.start), round(start + 1000 * p.end))
        for p in window.phones
    ]


def late(*phones: Phone, last: bool = False, seconds: float = 0.0, **more: object) -> SpeechChunk:
    return chunk(tone(seconds), last=last, phones=phones, **more)


def test_late_phones_take_their_place_in_the_sound_already_said() -> None:
    timeline = Timeline(context=(0.1, 0.1))
    timeline.say(chunk(tone(0.3), last=False))
    timeline.say(late(Phone("m", -0.3, -0.2), Phone("a", -0.2, 0.05), seconds=0.1))
    timeline.say(late(Phone("", -0.05, 0.0), last=True))
    assert phones_at(timeline, 4) == [("m", 0, 100), ("a", 100, 350)]


def test_newer_phones_replace_what_was_told_of_the_same_time() -> None:
    timeline = Timeline(context=(0.2, 0.2))
    timeline.say(late(Phone("m", 0.0, 0.08), Phone("a", 0.08, 0.1), seconds=0.2))
    timeline.say(late(Phone("a", -0.12, 0.0), Phone("i", 0.0, 0.1), seconds=0.2))
    timeline.say(late(Phone("ɪ", -0.25, -0.1), Phone("", -0.1, 0.0), last=True))
    expected = [("m", 0, 80), ("a", 80, 150), ("ɪ", 150, 300), ("", 300, 400)]
    assert phones_at(timeline, 2) == expected


def test_late_phones_cannot_reach_into_the_clause_before() -> None:
    timeline = Timeline(context=(0.2, 0.2))
    timeline.say(late(Phone("o", 0.0, 0.2), seconds=0.2, last=True))
    timeline.say(chunk(tone(0.2), clause=2, last=False))
    timeline.say(late(Phone("m", -0.25, -0.1), Phone("a", -0.1, 0.0), clause=2, last=True))
    assert phones_at(timeline, 5) == [("o", 0, 200), ("m", 200, 300), ("a", 300, 400)]


def test_late_phones_of_another_rate_are_placed_by_what_was_said() -> None:
    """The chunk that ends a foreign voice's clause is empty and names a rate of its own."""
    timeline = Timeline(context=(0.2, 0.2))
    pcm = np.full(22_050 // 2, 8000, np.int16)
    timeline.say(SpeechChunk(0, 1, "啊", pcm, 22_050))
    timeline.say(late(Phone("a", -0.4, 0.0), last=True))
    assert phones_at(timeline, 5) == [("a", 100, 500)]


def test_late_phones_of_an_interrupted_clause_are_dropped() -> None:
    timeline = Timeline(context=(0.2, 0.2))
    timeline.say(chunk(tone(0.4), last=False))
    emit(timeline, 2)
    timeline.interrupt()
    assert not timeline.say(late(Phone("m", -0.3, 0.0)))
    timeline.say(chunk(tone(0.3), generation=1, phones=(Phone("a", 0.0, 0.3),)))
    emit(timeline, 1)
    window = timeline.emit().window
    assert window is not None and window.phones is not None
    assert [p.symbol for p in window.phones] == ["a"]


def test_late_phones_after_their_ticks_have_gone_do_no_harm_and_are_forgotten() -> None:
    timeline = Timeline(context=(0.1, 0.1))
    timeline.say(chunk(tone(1.0), last=False))
    emit(timeline, 20)
    timeline.say(late(Phone("m", -1.0, -0.9), Phone("a", -0.9, 0.0), last=True))
    emit(timeline, 10)
    assert timeline.silent
    timeline.forget()
    assert not timeline._phones


def test_a_tick_is_planned_with_its_whole_window_whatever_the_resamplers_hold_back() -> None:
    timeline = Timeline(voice_rate=16_000, context=(0.1, 0.15))
    pcm = (8000 * np.sin(np.arange(22_050) * 2 * np.pi * 200 / 22_050)).astype(np.int16)
    for begin in range(0, len(pcm), 441):
        timeline.say(SpeechChunk(0, 1, "啊", pcm[begin : begin + 441], 22_050))
        while timeline.speech_ready:
            window = timeline.plan().window
            timeline.emit()
            assert window is not None and window.pcm[-80:].any(), "not silence: not there yet"
