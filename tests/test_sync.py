"""Lip sync of the whole product, from the question to a viewer's ear and eye.

The figures are in media time, by the sender reports, as a player's synchronisation is; a busy
machine makes packets late but cannot change them.
"""

import asyncio

import pytest

from mien.bench.sync import run_sync


@pytest.mark.timeout(240)
def test_sound_and_picture_stay_together() -> None:
    figures = asyncio.run(run_sync(8, lambda done: None))
    assert figures["markers"] >= 4, figures
    assert abs(figures["offset_ms_mean"]) <= 10, figures
    assert figures["offset_ms_sd"] <= 2, figures
    # A millisecond that one of a few markers is off is a drift of many in a minute.
    assert abs(figures["drift_ms_per_min"]) <= 15, figures
    assert figures["clock_hz_video"] == pytest.approx(90_000, abs=1), figures
    assert figures["clock_hz_audio"] == pytest.approx(48_000, abs=1), figures
    # An encoder that gets no CPU leaves pictures out rather than let the sound wait: as designed,
    # and no matter of sync.
    assert 5 <= figures["fps"] <= 25.3, figures
