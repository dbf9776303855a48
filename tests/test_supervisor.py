"""An output stays on the air by itself; a server at its other end fails in all the usual ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from loguru import logger

from mien.cli import quiet_logs
from mien.media import supervisor
from mien.media.program import Program
from mien.media.supervisor import Status, Supervised
from tcp_output import TcpOutput, TcpServer, tcp_server
from ticking import FlashBeep

SIZE = (320, 240)


class OnAir:
    """A supervised output that runs, and what was told of it."""

    def __init__(self, server: TcpServer, program: Program) -> None:
        self.server = server
        self.output = TcpOutput(server.port)
        self.history: list[Status] = []
        self.supervised = Supervised(self.output, program, self._changed)
        self.task = asyncio.create_task(self.supervised.run())
        self._change = asyncio.Event()

    def _changed(self, supervised: Supervised) -> None:
        self.history.append(supervised.status)
        self._change.set()

    @property
    def states(self) -> list[str]:
        return [status.state for status in self.history]

    @property
    def status(self) -> Status:
        return self.supervised.status

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._change.clear()
                await self._change.wait()

    async def reaches(self, *states: str) -> None:
        """Wait until the history ends with these."""
        await self.until(lambda: tuple(self.states[-len(states) :]) == states)


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    with ThreadPoolExecutor(1) as executor:
        program = Program(FlashBeep(SIZE), SIZE, executor)
        running = asyncio.create_task(program.run())
        yield program
        running.cancel()
        await asyncio.wait({running})


@asynccontextmanager
async def on_air(program: Program) -> AsyncIterator[OnAir]:
    async with tcp_server() as server:
        airing = OnAir(server, program)
        try:
            yield airing
        finally:
            airing.task.cancel()
            await asyncio.wait({airing.task})


async def test_it_takes_leave_when_it_is_stopped(program: Program) -> None:
    async with on_air(program) as airing:
        await airing.reaches("connecting", "live")
        airing.supervised.stop()
        await airing.task
        assert airing.states == ["connecting", "live", "ended"]
        assert airing.status.reason is None
    assert airing.server.said_bye == 1


async def test_it_comes_back_when_the_connection_is_lost(program: Program) -> None:
    async with on_air(program) as airing:
        await airing.reaches("live")
        await sent_more_than(airing, 0)
        before = airing.supervised.count_bytes()
        airing.server.hang_up()
        await airing.reaches("waiting")
        reason, retry_at = airing.status.reason, airing.status.retry_at
        assert reason is not None and (reason.code, reason.zh) == ("lost", "连接中断。")
        assert retry_at is not None and waits(airing) == [0.5]
        await airing.reaches("waiting", "connecting", "live")
        assert airing.supervised.reconnects == 1
        assert airing.status.reason is None, "what was is over"
        await sent_more_than(airing, before)
        assert airing.output.figures()["bytes"] < airing.supervised.count_bytes(), "both attempts"


async def test_it_waits_longer_each_time_but_knocks_often_at_a_closed_door(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACK_OFF_SEC", (0.02, 0.04, 0.08))
    monkeypatch.setattr(supervisor, "SOON_SEC", 0.03)
    monkeypatch.setattr(supervisor, "REJECTED_SEC", 0.2)
    async with on_air(program) as airing:
        airing.server.answer = ""
        await airing.until(lambda: airing.states.count("waiting") >= 4)
        assert waits(airing)[:4] == [0.02, 0.04, 0.08, 0.08]
        await airing.server.kill()
        await airing.until(lambda: "refused" in reasons(airing))
        assert waits(airing)[reasons(airing).index("refused")] == 0.03
        airing.server.answer = "ok"
        await airing.server.start()
        await airing.reaches("live")
        before = len(waits(airing))
        airing.server.answer = "no"
        airing.server.hang_up()
        await airing.until(lambda: len(waits(airing)) > before)
        assert waits(airing)[before] == 0.03, "it was live just now"
        await airing.until(lambda: "rejected" in reasons(airing))
        assert waits(airing)[reasons(airing).index("rejected")] == 0.2


async def test_after_a_good_while_on_the_air_a_failure_counts_as_the_first(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACK_OFF_SEC", (0.02, 0.04, 0.08))
    monkeypatch.setattr(supervisor, "STEADY_SEC", 0.1)
    async with on_air(program) as airing:
        airing.server.answer = ""
        await airing.until(lambda: airing.states.count("waiting") >= 3)
        airing.server.answer = "ok"
        await airing.reaches("live")
        await asyncio.sleep(0.12)
        airing.server.hang_up()
        await airing.reaches("waiting")
        assert waits(airing)[-1] == 0.02


async def test_what_cannot_help_is_not_tried_again_until_somebody_asks(program: Program) -> None:
    async with on_air(program) as airing:
        airing.server.answer = "never"
        await airing.reaches("connecting", "failed")
        assert not airing.supervised.running and not airing.task.done()
        assert airing.status.reason is not None and airing.status.reason.code == "bad_url"
        airing.server.answer = "ok"
        airing.supervised.retry()
        await airing.reaches("failed", "connecting", "live")
        assert airing.supervised.running
        assert airing.server.visits == 2


async def test_nobody_has_to_wait_for_the_next_attempt(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "REJECTED_SEC", 3600.0)
    async with on_air(program) as airing:
        airing.server.answer = "no"
        await airing.reaches("waiting")
        airing.server.answer = "ok"
        airing.supervised.retry()
        await airing.reaches("waiting", "connecting", "live")


async def test_a_fault_of_the_output_becomes_a_state_and_a_log_entry_without_secrets(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet_logs(verbose=False)
    try:
        async with on_air(program) as airing:
            airing.server.answer = "nonsense"
            await airing.reaches("waiting")
            assert airing.status.reason is not None and airing.status.reason.code == "internal"
            airing.server.answer = "ok"
            await airing.reaches("live")
    finally:
        logger.remove()
    logged = capsys.readouterr().err
    assert "ZeroDivisionError" in logged and "self._key" in logged
    assert "secret" not in logged, "values of variables are not shown"


async def test_leave_that_takes_too_long_is_cut_short(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LEAVE_SEC", 0.2)
    async with on_air(program) as airing:
        airing.output.stubborn = True
        await airing.reaches("live")
        began = time.monotonic()
        airing.supervised.stop()
        await airing.task
        assert 0.2 <= time.monotonic() - began < 20
        assert airing.status.state == "ended"


async def test_cancelled_with_its_session_it_takes_leave_too(program: Program) -> None:
    async with on_air(program) as airing:
        await airing.reaches("live")
        airing.task.cancel()
        await asyncio.wait({airing.task})
        assert airing.task.cancelled() and airing.status.state == "ended"
    assert airing.server.said_bye == 1


async def test_stopped_while_it_waits(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "REJECTED_SEC", 3600.0)
    async with on_air(program) as airing:
        airing.server.answer = "no"
        await airing.reaches("waiting")
        airing.supervised.stop()
        await airing.task
        assert airing.states[-1] == "ended"
        assert airing.status.reason is not None, "it still says why it was not on the air"


async def test_one_that_fails_does_not_disturb_another(program: Program) -> None:
    async with on_air(program) as good, on_air(program) as bad:
        await good.reaches("live")
        bad.server.answer = "nonsense"
        bad.server.hang_up()
        await bad.until(lambda: bad.states.count("waiting") >= 2)
        before = good.supervised.count_bytes()
        await sent_more_than(good, before)
        assert good.states == ["connecting", "live"]


def waits(airing: OnAir) -> list[float]:
    return [round(s.retry_at - s.since, 4) for s in airing.history if s.retry_at is not None]


async def sent_more_than(airing: OnAir, count: int) -> None:
    async with asyncio.timeout(20):
        while airing.supervised.count_bytes() <= count:  # noqa: ASYNC110 - a figure, no event
            await asyncio.sleep(0.01)


def reasons(airing: OnAir) -> list[str]:
    return [s.reason.code for s in airing.history if s.state == "waiting" and s.reason]
