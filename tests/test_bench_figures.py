"""Clock fits, percentiles, slopes and the pairing of beeps."""

import itertools

import numpy as np
import pytest

from mien.bench.client import SoundPacket, Viewer, _AccessUnits, _Sequence
from mien.bench.clocks import MAX_REPORTS, RtpClock
from mien.bench.figures import frame_rates, mean_sd, quantiles, slope
from mien.bench.latency import Loudness
from mien.bench.signals import mark
from mien.bench.soak import growth
from mien.bench.sync import Seen, SoundWatch, pair, summary

NTP = 4_004_400_000.0  # seconds since 1900; the size at which float64 begins to hurt


def test_clock_before_its_first_report() -> None:
    clock = RtpClock(90_000)
    assert not clock.ready
    with pytest.raises(LookupError):
        clock.ntp(0)


def test_clock_with_one_report_uses_the_nominal_rate() -> None:
    clock = RtpClock(48_000)
    clock.report(NTP, 1000)
    assert clock.ntp(1000 + 48_000) == pytest.approx(NTP + 1, abs=1e-5)
    assert clock.measured_rate == 48_000


def test_clock_across_the_wrap_of_rtp_time() -> None:
    clock = RtpClock(90_000)
    start = (1 << 32) - 200_000
    for second in range(6):
        clock.report(NTP + second, (start + 90_000 * second) % (1 << 32))
    for second in (0, 2, 3, 5, 7):
        stamp = (start + 90_000 * second) % (1 << 32)
        assert clock.ntp(stamp) == pytest.approx(NTP + second, abs=1e-5)


def test_clock_measures_a_wrong_rate_and_evens_out_jitter() -> None:
    random = np.random.default_rng(0)
    clock = RtpClock(90_000)
    for second in range(100):
        clock.report(NTP + second + random.normal(0, 0.002), 75_000 * second)
    assert clock.reports == MAX_REPORTS
    assert clock.measured_rate == pytest.approx(75_000, rel=1e-3)
    assert clock.ntp(75_000 * 99) == pytest.approx(NTP + 99, abs=0.003)


def test_repeated_report_is_no_line() -> None:
    clock = RtpClock(90_000)
    clock.report(NTP, 5)
    clock.report(NTP, 5)
    assert clock.measured_rate == pytest.approx(90_000)


def test_quantiles() -> None:
    assert quantiles([]) == {"p50": None, "p95": None, "n": 0}
    assert quantiles([3.0]) == {"p50": 3.0, "p95": 3.0, "n": 1}
    assert quantiles([float(v) for v in range(101)]) == {"p50": 50.0, "p95": 95.0, "n": 101}


def test_slope_mean_and_rates() -> None:
    assert slope([0, 1], [0, 1]) is None
    assert slope([1, 1, 1], [0, 1, 2]) is None
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == pytest.approx(2)
    assert mean_sd([]) == (None, None)
    assert mean_sd([1, 3]) == (2, 1)
    rates = frame_rates([n * 0.04 for n in range(60)])
    assert len(rates) == 35 and rates == pytest.approx([25] * 35)
    assert frame_rates([0.0, 0.04]) == []


def test_growth_is_last_minus_first() -> None:
    keys = ("rss", "threads", "fds", "tasks", "children", "sessions")
    first, last = dict.fromkeys(keys, 10), dict.fromkeys(keys, 12)
    last["rss"] = 10 + 3_000_000
    assert growth([first, first, last]) == {
        "rss_growth_mb": 3.0,
        "threads_growth": 2,
        "fds_growth": 2,
        "tasks_growth": 2,
        "children_growth": 2,
    }


def test_pairs_by_number_and_nearest_time() -> None:
    heard = [Seen(1, 10.0, 0), Seen(2, 10.8, 0), Seen(1, 214.8, 0)]
    seen = [Seen(2, 10.81, 0), Seen(1, 10.02, 0), Seen(1, 214.83, 0), Seen(9, 11.6, 0)]
    pairs = pair(heard, seen)
    assert [round(s.ntp - h.ntp, 3) for h, s in pairs] == [0.02, 0.01, 0.03]


class _Pictures:
    def __init__(self, rtp: list[int], arrivals: list[float]) -> None:
        self.rtp, self.arrivals = rtp, arrivals


def test_summary_of_a_known_run() -> None:
    """30 ms late pictures that drift by 6 ms per minute, one picture missing."""
    pairs = [
        (Seen(n, n * 0.8, n * 0.8), Seen(n, n * 0.8 + 0.03 + n * 0.8 * 1e-4, n * 0.8 + 0.05))
        for n in range(100)
    ]
    shown = [n for n in range(501) if n != 77]
    pictures = _Pictures([3600 * n for n in shown], [n * 0.05 for n in shown])
    figures = summary(pairs, pictures, 90_000, 3)
    assert figures["offset_ms_mean"] == pytest.approx(30 + 1e-1 * 39.6, abs=0.02)
    assert figures["drift_ms_per_min"] == pytest.approx(6, abs=0.01)
    assert figures["wire_offset_ms_mean"] == pytest.approx(50, abs=0.01)
    assert figures["fps"] == pytest.approx(24.95, abs=0.001)
    assert figures["fps_arrival"] == pytest.approx(19.96, abs=0.001)
    assert (figures["ticks"], figures["ticks_without_picture"]) == (501, 1)
    assert (figures["markers"], figures["lost_packets"]) == (100, 3)


def test_summary_of_nothing() -> None:
    figures = summary([], _Pictures([], []), 90_000, 0)
    assert figures["offset_ms_mean"] is None and figures["fps"] is None and figures["ticks"] == 0


async def test_sound_watch_finds_each_beep_once_across_packets() -> None:
    viewer = Viewer()
    watch = SoundWatch(viewer)
    base = (1 << 32) - 48_000  # the time stamps wrap after a second
    viewer.sound_clock.report(NTP, base)
    sound = np.zeros(48_000 * 6, np.float32)
    onsets = [500 + n * 38_400 + 137 * n for n in range(5)]
    for number, at in enumerate(onsets):
        marking = mark(number, 48_000)
        sound[at : at + len(marking)] = marking
    for begin in range(0, len(sound), 960):
        rtp = (base + begin) % (1 << 32)
        watch.take(SoundPacket(begin / 48_000, rtp, sound[begin : begin + 960]))
    await viewer.close()
    assert [beep.number for beep in watch.beeps] == [0, 1, 2, 3, 4]
    for beep, at in zip(watch.beeps, onsets, strict=True):
        assert beep.ntp - NTP == pytest.approx(at / 48_000, abs=0.0003)
        assert beep.arrival == pytest.approx(at / 48_000, abs=0.0003)


def test_loudness() -> None:
    watch = Loudness()
    quiet, loud = np.zeros(960, np.float32), np.zeros(960, np.float32)
    loud[480:720] = 0.1
    for number, sound in enumerate([quiet, loud, loud, quiet]):
        watch.take(SoundPacket(10 + number * 0.02, number * 960, sound))
    assert watch.first_after(9) == (10.02, 960 + 480)
    assert watch.first_after(11) is None
    assert watch.silent_after(10.03) == pytest.approx(10.04 + 719 / 48_000)
    assert watch.silent_after(12) == 12


def test_sequence_counts_losses_across_the_wrap() -> None:
    sequence = _Sequence()
    for number in itertools.chain(range(65_530, 65_536), [1, 0, 2, 5]):
        sequence.add(number)
    assert sequence.lost == 2


class _Packet:
    def __init__(self, number: int, payload: bytes, marker: bool) -> None:
        self.sequence_number, self.payload, self.marker = number, payload, marker


def test_access_units_wait_for_a_key_frame_after_a_loss() -> None:
    units = _AccessUnits()
    key, delta = b"\x67abc", b"\x41abc"
    packets = [(0, delta), (1, key), (2, delta), (4, delta), (5, delta), (6, key), (7, delta)]
    out = [units.add(_Packet(n, payload, True)) for n, payload in packets]  # type: ignore[arg-type]
    assert [unit is not None for unit in out] == [False, True, True, False, False, True, True]
    units.spoilt = True
    assert units.wants_keyframe(100.0) and not units.wants_keyframe(100.2)
    assert units.wants_keyframe(100.6)
