"""Sound at our rate, as long as the clock says, from whoever is a microphone."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from listened import Heard, until
from mien.media.intake import AHEAD_SEC, STALL_SEC, Intake, TooFast, keep_up
from mien.media.microphone import RATE


def test_who_is_faster_than_real_time_is_no_microphone() -> None:
    ear = Heard()
    intake = Intake(RATE, ear.pieces.append, 1.0, ear.clock)
    second = np.ones(RATE, np.int16)
    for _ in range(20):  # as its clock is 5 % fast
        ear.now += 0.95
        intake.put(second)
    ear.now += STALL_SEC  # of the network, which delivers it all then
    for _ in range(int(STALL_SEC)):
        intake.put(second)
    with pytest.raises(TooFast):
        for _ in range(int(AHEAD_SEC) + 1):
            intake.put(second)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_any_rate_becomes_ours_without_clicks_whatever_the_pieces(rate: int) -> None:
    at = np.arange(rate) / rate
    pcm = (10_000 * np.sin(2 * np.pi * 1_000 * at)).astype(np.int16)
    ear = Heard()
    intake = Intake(rate, ear.pieces.append, 0.1, ear.clock)
    chance = np.random.default_rng(rate)
    position = 0
    while position < rate:
        step = int(chance.integers(1, rate // 20))
        intake.put(pcm[position : position + step])
        position += step
    assert 1 - 0.002 <= ear.sec <= 1
    # One tone and nothing else: what is left beside it is 50 dB below.
    middle = ear.pcm[400:-400].astype(float)
    at = np.arange(400, 400 + len(middle)) / RATE
    wave = 2 * np.pi * 1_000 * at
    basis = np.stack([np.sin(wave), np.cos(wave)])
    rest = middle - basis.T @ np.linalg.lstsq(basis.T, middle, rcond=None)[0]
    assert rest.std() < middle.std() / 300


async def test_silence_is_made_of_what_does_not_come_and_of_nothing_else() -> None:
    ear, closed = Heard(), asyncio.Event()
    intake = Intake(RATE, ear.pieces.append, 0.04, ear.clock)
    keeping = asyncio.create_task(keep_up(intake, closed))
    piece = np.ones(320, np.int16)
    intake.put(piece)
    loop = asyncio.get_running_loop()
    came = asyncio.Event()

    def travel(turns: int) -> None:
        """As a packet does, from a socket through the queues of several layers."""
        if turns:
            loop.call_soon(travel, turns - 1)
        else:
            for _ in range(15):
                intake.put(piece)
            came.set()

    def stand_still() -> None:
        time.sleep(0.05)  # the event loop's own fault: what was sent meanwhile is in the socket
        ear.now += 0.3
        travel(6)

    await asyncio.sleep(0.1)
    loop.call_soon(stand_still)
    await came.wait()
    await asyncio.sleep(0.1)
    assert len(ear.pcm) == 16 * 320 and ear.pcm.all()
    ear.now += 0.3  # nothing comes, and nothing is on its way
    await until(lambda: len(ear.pcm) > 16 * 320, "silence")
    closed.set()
    await keeping
    assert ear.sec == pytest.approx(16 * 0.02 + 0.3 - 0.04 - 0.02, abs=1e-6)
