"""On the air at real media servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from certificates import server_context
from mien.media.annexb import parameter_sets
from mien.media.h264 import VIDEO_CLOCK
from mien.media.program import Program
from mien.media.rtmp import flv
from mien.media.rtmp.connection import connect
from mien.media.rtmp.output import RtmpOutput
from mien.media.rtmp.url import parse_target
from mien.media.supervisor import Supervised
from mien.media.tick import SAMPLE_RATE
from rtmp_server import SERVERS, Seen, real_server, watch
from ticking import FlashBeep

SIZE = (320, 240)
PATIENCE = 30.0
FULL = 1 << 24  # ms


@asynccontextmanager
async def program_of_flashes(source: FlashBeep | None = None) -> AsyncIterator[Program]:
    with ThreadPoolExecutor(2) as executor:
        program = Program(source or FlashBeep(SIZE), SIZE, executor)
        running = asyncio.create_task(program.run())
        try:
            yield program
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@dataclass
class OnAir:
    """An attempt that has succeeded; ``task`` ends as it does."""

    output: RtmpOutput
    task: asyncio.Task[None]

    async def error(self) -> BaseException:
        await asyncio.wait([self.task], timeout=PATIENCE)
        assert self.task.done(), "nothing was noticed"
        error = self.task.exception()
        assert error is not None
        return error


@asynccontextmanager
async def on_air(program: Program, output: RtmpOutput) -> AsyncIterator[OnAir]:
    """Once it is; a busy machine may need more than the five seconds of one attempt."""
    live = asyncio.Event()
    for _ in range(3):
        task = asyncio.create_task(output.run(program, live.set))
        waiting = asyncio.create_task(live.wait())
        await asyncio.wait([task, waiting], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not (task.done() and getattr(task.exception(), "code", "") == "silent"):
            break
    try:
        if task.done():
            await task
        assert live.is_set()
        yield OnAir(output, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


@contextmanager
def encoded_pictures(program: Program):
    """The numbers of all pictures that the program's encoder makes meanwhile."""
    numbers: list[int] = []

    async def note() -> None:
        with program.subscribe("video") as pictures:
            while True:
                numbers.append((await pictures.get()).index)

    task = asyncio.create_task(note())
    try:
        yield numbers
    finally:
        task.cancel()


def assert_whole(seen: Seen, encoded: list[int]) -> None:
    """Every picture between the first and the last that was seen, each at its time."""
    assert seen.codecs == ["aac", "h264"]
    numbers = [number for _, number, _ in seen.pictures]
    assert numbers == [n for n in encoded if numbers[0] <= n <= numbers[-1]]
    first, number, _ = seen.pictures[0]
    for at, n, _ in seen.pictures:
        assert at - first == pytest.approx((n - number) / 25, abs=0.0015)
    offsets = seen.offsets()
    assert len(offsets) >= 3
    assert max(abs(offset) for offset in offsets) <= 2


@pytest.mark.parametrize("kind", SERVERS)
async def test_two_servers_of_which_one_hangs(kind: str) -> None:
    """The other's viewer loses nothing. At 50 kb/s the hanging one's machine takes everything."""
    with real_server(kind) as good, real_server(kind) as bad:
        async with (
            program_of_flashes() as program,
            on_air(program, RtmpOutput(good.url, "key-1")) as well,
            on_air(program, RtmpOutput(f"{bad.url}/key-2")) as ill,
        ):
            with encoded_pictures(program) as encoded:
                watching = asyncio.create_task(asyncio.to_thread(watch, f"{good.url}/key-1", 85))
                await until(lambda: ill.output.figures()["bytes"] > 20_000)
                bad.hang()
                error = await ill.error()
                assert getattr(error, "code", error) == "stalled"
                assert "key-2" not in str(error) and "key-2" not in ill.output.label
                seen = await watching
            assert_whole(seen, encoded)
            figures = well.output.figures()
            assert not well.task.done() and figures["bytes"] > 20_000
            assert figures["queue_ms"] < 1000 and "rtt_ms" in figures


@pytest.mark.parametrize("kind", SERVERS)
async def test_back_on_air_each_time_the_server_is(kind: str) -> None:
    with real_server(kind) as server:
        async with program_of_flashes() as program:
            output = RtmpOutput(server.url, "key-1")
            reasons = []
            supervised = Supervised(
                output, program, lambda s: reasons.append(s.status.reason and s.status.reason.code)
            )
            running = asyncio.create_task(supervised.run())
            for _ in range(2):
                await until(lambda: supervised.status.state == "live")
                server.kill()
                await until(lambda: supervised.status.state != "live")
                server.start()
            await until(lambda: supervised.status.state == "live")
            assert supervised.reconnects == 2
            assert {"closed"} <= set(reasons) - {None} <= {"closed", "refused"}
            # A new time line, from which a viewer sees the program's present.
            seen = await asyncio.to_thread(watch, f"{server.url}/key-1", 5)
            assert len(seen.pictures) == 5
            supervised.stop()
            await asyncio.wait_for(running, PATIENCE)


async def test_it_takes_leave() -> None:
    """Whoever comes next with the same key is no second publisher."""
    with real_server() as server:
        async with program_of_flashes() as program:
            output = RtmpOutput(server.url, "key-1")
            for _ in range(3):
                async with on_air(program, output):
                    pass
            assert server.log.count("deleteStream") >= 3
            assert "recv() failed" not in server.log.split("publish: name='key-1'")[1]


@pytest.mark.thorough
async def test_a_stream_of_hours() -> None:
    """After 4.6 of them 24 bits of milliseconds are full; here, a second after a reader came."""
    reading = threading.Event()
    with real_server() as server:
        async with program_of_flashes() as program:
            connection = await connect(parse_target(server.url, "key-1"))
            with program.subscribe("video") as pictures, program.subscribe("aac") as sound:
                publishing = asyncio.create_task(publish(connection, pictures, sound, reading))
                seen = await asyncio.to_thread(watch, f"{server.url}/key-1", 60, reading.set)
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)
            await connection.leave()
    times = [at for at, _, _ in seen.pictures]
    assert times[0] < FULL / 1000 - 1 and FULL / 1000 < times[-1]
    steps = [after - before for before, after in pairwise(times)]
    assert min(steps) > 0 and sum(step > 0.3 for step in steps) == 1
    assert max(map(abs, seen.offsets())) <= 2


async def test_a_stream_of_weeks_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 31 bits are full, which takes 24.8 days; here one second."""
    monkeypatch.setattr("mien.media.rtmp.output.LONGEST_MS", 1000)
    with real_server() as server:
        async with program_of_flashes() as program:
            supervised = Supervised(RtmpOutput(server.url, "key-1"), program)
            running = asyncio.create_task(supervised.run())
            await until(lambda: supervised.reconnects > 0)
            supervised.stop()
            await asyncio.wait_for(running, PATIENCE)


async def publish(connection, pictures, sound, reading: threading.Event) -> None:
    """As RtmpOutput does, with a time line that begins late, and jumps once somebody reads it."""
    first = await pictures.get()
    begin, shift = FULL - 60_000, 0
    sets = parameter_sets(bytes(first.packet))
    connection.send_picture(flv.picture_header(sets), begin)
    connection.send_sound(flv.sound_header(), begin)

    async def send(subscription, rate: int, packet=None) -> None:
        nonlocal shift
        while True:
            packet = packet or await subscription.get()
            at = begin + round(1000 * (packet.packet.pts / rate - first.packet.pts / VIDEO_CLOCK))
            if reading.is_set() and not shift:
                shift = FULL - 1000 - at
            at += shift
            data = bytes(packet.packet)
            if subscription is pictures:
                connection.send_picture(flv.picture(data, packet.keyframe, sets), at)
            elif at >= begin:
                connection.send_sound(flv.sound(data), at)
            packet = None

    await asyncio.gather(send(pictures, VIDEO_CLOCK, first), send(sound, SAMPLE_RATE))


async def test_through_tls(tmp_path: Path) -> None:
    """As platforms take it: a terminator in front of a server that knows no TLS."""
    tls, trusting = server_context(tmp_path)
    with real_server() as server:

        async def terminate(reader: StreamReader, writer: StreamWriter) -> None:
            inner = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.gather(carry(reader, inner[1]), carry(inner[0], writer))

        async with (
            await asyncio.start_server(terminate, "127.0.0.1", 0, ssl=tls) as front,
            program_of_flashes() as program,
        ):
            port = front.sockets[0].getsockname()[1]
            output = RtmpOutput(f"rtmps://127.0.0.1:{port}/live/key-1", tls=trusting)
            async with on_air(program, output):
                seen = await asyncio.to_thread(watch, f"{server.url}/key-1", 10)
    assert seen.codecs == ["aac", "h264"]
    numbers = [number for _, number, _ in seen.pictures]
    assert numbers == sorted(set(numbers))


async def carry(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


class Noise(FlashBeep):
    """Pictures that take all the bits there are: 190 kB a second."""

    def picture(self, index: int) -> np.ndarray:
        width, height = self.size
        return np.random.default_rng(index).integers(0, 255, (height, width, 3), np.uint8)


async def test_a_slow_network_shows_the_present_with_gaps() -> None:
    """Where a fifth gets through, pictures are left out; where all does again, none are."""
    rate = 40_000.0

    async def throttle(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4000):
                writer.write(data)
                await asyncio.sleep(len(data) / rate)
        writer.close()

    with real_server() as server, socket.socket() as narrow:
        # A network holds little; a program that reads slowly would have all its machine holds.
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        narrow.bind(("127.0.0.1", 0))

        async def serve(reader: StreamReader, writer: StreamWriter) -> None:
            inner = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.gather(throttle(reader, inner[1]), carry(inner[0], writer))

        async with (
            await asyncio.start_server(serve, sock=narrow, limit=4000),
            program_of_flashes(Noise(SIZE)) as program,
        ):
            port = narrow.getsockname()[1]
            output = RtmpOutput(f"rtmp://127.0.0.1:{port}/live/key-1")
            async with on_air(program, output) as attempt:
                await until(lambda: output.figures()["dropped"] > 25)
                rate = 10e6
                # So much is only sent once all of it gets through.
                sent = output.figures()["bytes"]
                await until(lambda: output.figures()["bytes"] > sent + 300_000)
                assert not attempt.task.done()
                assert output.figures()["queue_ms"] < 1000
