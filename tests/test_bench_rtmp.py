"""The arithmetic of ``mien bench rtmp``; the measurement itself is run by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.bench import rtmp_server
from mien.bench.cli import bench_app
from mien.bench.rtmp import NTP_EPOCH, stream_figures
from mien.bench.rtmp_reader import BeepFinder
from mien.bench.signals import mark
from mien.bench.sync import Seen
from mien.bench.visit import VisitError
from mien.media.tick import SAMPLE_RATE

UNIX = 1_700_000_000.0  # when the stream's time 0 was due


def stream(delay: float, early: float, missing: range = range(0)) -> list[dict[str, Any]]:
    """Ten seconds with a flash and a beep in each, seen ``delay`` s late, heard ``early`` s."""
    lines: list[dict[str, Any]] = [{"codecs": ["aac", "h264"], "now": UNIX - 2}]
    for index in range(250):
        line: dict[str, Any] = {"picture": index / 25, "now": UNIX + index / 25 + delay}
        if index % 25 == 0:
            line |= {"flash": index // 25, "ms": 20}
            lines.append({"beep": index // 25, "at": index / 25 + 0.02 - early})
        if index not in missing:
            lines.append(line)
    return lines


def seen_directly() -> list[Seen]:
    return [Seen(second, NTP_EPOCH + UNIX + second + 0.02, 0.0) for second in range(10)]


def figures_of(lines: list[dict[str, Any]], not_made: range = range(0)) -> dict[str, Any]:
    """``not_made``: pictures that nobody got."""
    due = [UNIX + index / 25 for index in range(-50, 300) if index not in not_made]
    return stream_figures(lines, seen_directly(), due)


def test_delay_and_offset() -> None:
    figures = figures_of(stream(0.030, 0.004))
    assert figures["glass_to_glass_ms_p50"] == pytest.approx(30, abs=0.1)
    assert figures["offset_ms_mean"] == figures["offset_ms_max"] == pytest.approx(4)
    assert figures["offset_drift_ms_per_min"] == pytest.approx(0, abs=0.01)
    assert figures["beeps"] == 10
    assert (figures["fps"], figures["lost_pictures"]) == (25.0, 0)


def test_lost_pictures() -> None:
    figures = figures_of(stream(0.030, 0.0, missing=range(30, 34)), not_made=range(33, 34))
    assert (figures["missing_pictures"], figures["lost_pictures"]) == (4, 3)
    assert figures["fps"] < 25


def test_nothing_to_be_seen() -> None:
    with pytest.raises(VisitError, match="no such stream"):
        stream_figures([{"ended": "no such stream"}], [], [])


def test_beeps_in_packets_with_rounded_stamps() -> None:
    """AAC packets of 1024 samples, stamped in milliseconds; a hole is not searched across."""
    sound = np.zeros(5 * SAMPLE_RATE, np.float32)
    for number, at in ((3, 0.5), (4, 1.7), (5, 3.1)):
        marking = mark(number, SAMPLE_RATE)
        sound[round(at * SAMPLE_RATE) : round(at * SAMPLE_RATE) + len(marking)] = marking
    finder, found = BeepFinder(), []
    for begin in range(0, len(sound) - 1024, 1024):
        if not 1.70 < begin / SAMPLE_RATE < 1.74:  # what is lost takes beep 4 with it
            stamp = round(1000 * begin / SAMPLE_RATE) / 1000
            found += finder.take(stamp, sound[begin : begin + 1024])
    assert [number for _, number in found] == [3, 5]
    assert [at for at, _ in found] == pytest.approx([0.5, 3.1], abs=0.001)


def test_without_a_media_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(rtmp_server.SRS_VARIABLE, raising=False)
    monkeypatch.setattr(rtmp_server, "MODULE_FOLDERS", ())
    result = CliRunner().invoke(bench_app, ["rtmp"])
    assert result.exit_code == 2
    assert "apt install nginx-light libnginx-mod-rtmp" in " ".join(result.stderr.split())
