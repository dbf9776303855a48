"""When a server counts as hanging: in virtual time, by what a Linux machine says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mien.media.rtmp.stall import SAMPLE_SEC, Sample, StallWatch

WINDOW = 85_000


def noticed(
    sample: Callable[[float], Sample], seconds: float = 60, watch: StallWatch | None = None
) -> float | None:
    """When a stall is seen, in s; None if never."""
    watch = watch or StallWatch()
    for step in range(round(seconds / SAMPLE_SEC)):
        if watch.stalled(sample(step * SAMPLE_SEC)):
            return step * SAMPLE_SEC
    return None


@pytest.mark.parametrize("rate", [6_000, 12_500, 190_000])
def test_a_server_that_reads_is_well(rate: int) -> None:
    assert noticed(lambda t: Sample(t, int(rate * t), WINDOW, waiting=True)) is None
    # Its window grows, and now and then has not been emptied yet.
    grown = noticed(lambda t: Sample(t, int(rate * t), WINDOW + int(9 * t) % 4096, True))
    assert grown is None


@pytest.mark.parametrize("rate", [6_000, 12_500, 50_000, 190_000, 750_000])
@pytest.mark.parametrize("regained", [0.06, 0.6])
def test_a_server_that_stops_reading_is_noticed(rate: int, regained: float) -> None:
    """At 48 and 100 kb/s nothing else would tell: the machine takes everything for minutes."""
    stop = 10.0

    def sample(t: float) -> Sample:
        sent = rate * max(0.0, t - stop)
        held = min(sent, WINDOW / (1 - regained))
        taken = min(rate * t, rate * stop) + held
        return Sample(t, int(taken), int(WINDOW - held * (1 - regained)), waiting=True)

    at = noticed(sample)
    assert at is not None and stop + 2 < at <= stop + 5


def test_a_pause_is_no_stall() -> None:
    """Reading nothing for 2 s (a disk, a neighbour), again and again."""

    def sample(t: float) -> Sample:
        paused = max(0.0, t % 5 - 3)
        return Sample(t, int(12_500 * t), WINDOW - int(12_500 * paused), True)

    assert noticed(sample) is None


def test_nothing_is_taken_any_more() -> None:
    """The cable is out, or all buffers are full; also where the system tells no window."""
    for window in (WINDOW, 0, None):

        def sample(t: float, window: int | None = window) -> Sample:
            return Sample(t, int(12_500 * min(t, 10)), window, waiting=t > 10)

        at = noticed(sample)
        assert at is not None and 13 < at <= 15


def test_nothing_to_send_is_no_stall() -> None:
    assert noticed(lambda t: Sample(t, int(12_500 * min(t, 10)), WINDOW, waiting=False)) is None


@pytest.mark.parametrize("step", [16_384, 1_250_000])
def test_behind_a_proxy_acknowledgements_tell(step: int) -> None:
    """Of servers that acknowledge, at their own intervals; from 20 s on it says nothing."""
    rate, watch = 190_000, StallWatch()

    def sample(t: float) -> Sample:
        sent = int(rate * t)
        if t < 20 and sent // step > int(rate * (t - SAMPLE_SEC)) // step:
            watch.acknowledged(t, sent)
        return Sample(t, sent, None, waiting=True)

    at = noticed(sample, watch=watch)
    assert at is not None and at >= 20
    assert at <= 20 + max(5, 4 * step / rate)


def test_a_server_that_never_acknowledges_is_not_expected_to() -> None:
    assert noticed(lambda t: Sample(t, int(190_000 * t), None, waiting=True)) is None
