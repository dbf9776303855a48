"""Watching through a WebSocket: fragmented MP4 as any reader gets it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mien.media.program import Program
from mien.media.tick import FPS
from mien.problems import Problem
from mien.server import sockets, ws
from mien.server.sessions import no_such_session
from mien.server.uvicorn_config import uvicorn_config
from ticking import BEEP_HZ, FlashBeep, counted, flashes

TOKEN = "a token with spaces"


class OneSession:
    """What the route knows of sessions: one, whose program is real."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.viewers: set[ws.SocketViewer] = set()
        self.greeted = 0

    def get(self, key: str) -> OneSession:
        if key != "one":
            raise no_such_session(key)
        return self

    async def attend(self, viewer: ws.SocketViewer) -> None:
        self.viewers.add(viewer)
        viewer.on_connected = self._greet
        try:
            await viewer.run(self.program)
        finally:
            self.viewers.discard(viewer)

    def _greet(self) -> None:
        self.greeted += 1


@dataclass
class Site:
    source: FlashBeep
    session: OneSession
    port: int

    def watching(self, query: str = "token=" + TOKEN, **options: Any) -> connect:
        address = f"127.0.0.1:{self.port}"
        url = f"ws://{address}/ws/one?{query.replace(' ', '%20')}"
        return connect(url, origin=f"http://{address}", compression=None, **options)


@asynccontextmanager
async def serving(**source: Any) -> AsyncIterator[Site]:
    ticks = FlashBeep(**source)
    with ThreadPoolExecutor(2) as executor:
        program = Program(ticks, ticks.size, executor)
        running = asyncio.create_task(program.run())
        app = FastAPI()
        app.include_router(ws.router)
        app.state.token = TOKEN
        app.state.sessions = session = OneSession(program)
        server = uvicorn.Server(uvicorn_config(app))
        server.config.port = 0
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
        try:
            yield Site(ticks, session, server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await serving
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@dataclass
class Got:
    """What came: the bytes of the MP4, and the text messages."""

    mp4: bytes = b""
    count: int = 0
    texts: list[dict[str, Any]] = field(default_factory=list)

    async def read(self, socket: ClientConnection, count: int) -> None:
        """Until so many more binary messages have come."""
        wanted = self.count + count
        async with asyncio.timeout(30):
            while self.count < wanted:
                message = await socket.recv()
                if isinstance(message, bytes):
                    self.mp4 += message
                    self.count += 1
                else:
                    self.texts.append(json.loads(message))

    def decoded(self) -> tuple[list[tuple[float, np.ndarray]], list[tuple[float, np.ndarray]]]:
        """Pictures (RGB) and sound (float32 mono 48 kHz), each with its time in seconds."""
        pictures, sound = [], []
        with av.open(io.BytesIO(self.mp4)) as container:
            for frame in container.decode(video=0, audio=0):
                assert frame.time is not None
                if isinstance(frame, av.VideoFrame):
                    pictures.append((frame.time, frame.to_ndarray(format="rgb24")))
                elif isinstance(frame, av.AudioFrame):
                    sound.append((frame.time, frame.to_ndarray()[0]))
        return pictures, sound


async def test_a_reader_gets_an_mp4_that_begins_with_a_picture_and_is_in_sync() -> None:
    async with serving() as site:
        await asyncio.sleep(0.3)  # so that it begins in the middle
        got = Got()
        async with site.watching() as socket:
            await got.read(socket, 160)
    start = got.texts[0]
    assert start["type"] == "start" and start["media"] > 0
    assert start["mime"].startswith('video/mp4; codecs="avc1.42') and "mp4a.40.2" in start["mime"]
    assert got.mp4[4:8] == b"ftyp"
    assert site.session.greeted == 1
    pictures, sound = got.decoded()
    assert pictures[0][0] == 0 and len(pictures) > 40
    first = round(start["media"] * FPS)
    numbers = [counted(picture) for _, picture in pictures]
    assert numbers == list(range(first, first + len(numbers)))
    assert [round(at * FPS) for at, _ in pictures] == list(range(len(pictures)))
    flash = next(at for at, picture in pictures if picture[120].mean() > 200)
    assert flashes(round((start["media"] + flash) * FPS))
    assert abs(beep(sound) - flash) < 0.003


def beep(sound: list[tuple[float, np.ndarray]]) -> float:
    """When the first tone begins, in seconds."""
    samples = np.concatenate([part for _, part in sound])
    loud = np.abs(samples) > 0.15
    begins = int(np.argmax(loud))
    assert loud[begins : begins + 48_000 // int(BEEP_HZ) * 4].any()
    return sound[0][0] + begins / 48_000


@pytest.mark.parametrize(
    ("query", "origin", "status"),
    [
        ("", None, 401),
        ("token=wrong", None, 401),
        ("token=" + TOKEN, "http://evil.example", 403),
        ("token=" + TOKEN, "null", 403),
    ],
)
async def test_strangers_are_refused(query: str, origin: str | None, status: int) -> None:
    async with serving() as site:
        url = f"ws://127.0.0.1:{site.port}/ws/one?{query.replace(' ', '%20')}"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, origin=origin):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body)["error"]["message"]["zh"]
        # By another name, as a proxy may pass it on; and a program, which has no origin.
        forwarded = {"X-Forwarded-Host": "mien.example"}
        query = "token=" + TOKEN.replace(" ", "%20")
        url = f"ws://127.0.0.1:{site.port}/ws/one?{query}"
        for options in (
            {"origin": "https://mien.example", "additional_headers": forwarded},
            {"origin": None},
        ):
            async with connect(url, **options) as socket:  # type: ignore[arg-type]
                await socket.recv()


async def test_a_session_that_ends_says_so_and_one_that_is_not_there_too() -> None:
    async with serving() as site:
        async with site.watching() as socket:
            await Got().read(socket, 5)
            (viewer,) = site.session.viewers
            viewer.close()
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(Got().read(socket, 1000), 20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == sockets.SESSION_ENDED
        assert not site.session.viewers
        url = f"ws://127.0.0.1:{site.port}/ws/other?token={TOKEN.replace(' ', '%20')}"
        async with connect(url) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == sockets.SESSION_ENDED


async def test_one_who_falls_behind_goes_on_later_with_a_key_frame() -> None:
    """Its buffers would take half a minute; it says what it has got, and so nothing piles up."""
    async with serving(real_time=False) as site:
        got = Got()
        async with site.watching() as socket:
            await got.read(socket, 3)
            await socket.send(json.dumps({"got": got.count, "sent": 1.5}))
            # Everything that was under way, and no more: it ends without a word from here.
            with suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(1):
                        await got.read(socket, 1)
            assert got.count < 3 + 140
            before = got.count
            await socket.send(json.dumps({"got": before, "sent": 2.5}))
            await got.read(socket, 30)
            clocks = [text for text in got.texts if text["type"] == "clock"]
            assert [clock["sent"] for clock in clocks] == [1.5, 2.5]
        pictures, _ = got.decoded()
        numbers = [counted(picture) for _, picture in pictures]
        steps = np.diff(numbers)
        assert (steps > 0).all() and steps.max() > 10, "some of them were left out"
        # Each picture is whole: the number it shows is the one its time says.
        start = got.texts[0]["media"]
        assert numbers == [round((start + at) * FPS) for at, _ in pictures]


async def test_an_interruption_is_told_with_its_moment() -> None:
    async with serving() as site:
        got = Got()
        async with site.watching() as socket:
            await got.read(socket, 20)
            site.source.generation += 1
            await got.read(socket, 40)
    (cut,) = [text for text in got.texts if text["type"] == "cut"]
    assert 0 < cut["at"] < 2


async def test_nonsense_of_a_reader_is_not_heard() -> None:
    async with serving() as site, site.watching() as socket:
        for nonsense in (
            "",
            "[]",
            "{}",
            '{"got": "x"}',
            '{"got": 1e999}',
            '{"got": 1, "sent": NaN}',
        ):
            await socket.send(nonsense)
        await Got().read(socket, 30)


def test_problems_of_foreign_pages_say_what_a_proxy_must_do() -> None:
    from starlette.requests import HTTPConnection

    headers = [(b"host", b"internal:8000"), (b"origin", b"https://mien.example")]
    scope = {"type": "websocket", "headers": headers}
    with pytest.raises(Problem, match="Host"):
        sockets.check_origin(HTTPConnection(scope))
