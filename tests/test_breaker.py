"""When a voice that failed is tried again."""

from __future__ import annotations

from mien.tts.breaker import FIRST_LONG_PAUSE_SEC, FIRST_PAUSE_SEC, Breaker
from mien.tts.voice import VoiceError

BUSY = VoiceError("busy", retryable=True)
MISSING = VoiceError("not installed", retryable=False)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def pause(breaker: Breaker, clock: Clock) -> float:
    """Seconds until it is due."""
    begin = clock.now
    while not breaker.due:
        clock.now += 0.5
    return clock.now - begin


def test_pauses_double_up_to_five_minutes_and_begin_anew_after_a_success() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    pauses = []
    for _ in range(7):
        breaker.failed(BUSY)
        pauses.append(pause(breaker, clock))
    assert pauses == [10, 20, 40, 80, 160, 300, 300]
    breaker.succeeded()
    assert breaker.usable and breaker.error is None
    breaker.failed(BUSY)
    assert pause(breaker, clock) == FIRST_PAUSE_SEC


def test_what_cannot_get_better_by_itself_is_left_alone_for_longer() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.failed(MISSING)
    assert breaker.error is MISSING
    assert pause(breaker, clock) == FIRST_LONG_PAUSE_SEC > FIRST_PAUSE_SEC


def test_clauses_that_fail_together_count_as_one() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed(BUSY)
    assert pause(breaker, clock) == FIRST_PAUSE_SEC


def test_open_checked_half_open_tried_closed() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    assert breaker.usable and not breaker.due
    breaker.failed(BUSY)
    assert not breaker.usable and not breaker.due
    pause(breaker, clock)
    breaker.begin_check()
    assert not breaker.usable and not breaker.due, "one look at a time"
    breaker.end_check()
    assert breaker.usable
    breaker.begin_trial()
    assert not breaker.usable, "one trial at a time"
    breaker.end_trial()
    assert breaker.usable, "given up without knowing"
    breaker.begin_trial()
    breaker.failed(BUSY)
    breaker.end_trial()
    assert not breaker.usable
    assert pause(breaker, clock) == 2 * FIRST_PAUSE_SEC
    breaker.begin_check()
    breaker.failed(MISSING)
    breaker.end_check()
    assert not breaker.usable and breaker.error is MISSING
