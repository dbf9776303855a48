"""A microphone through a WebSocket, as programs and pages in narrow networks use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from listened import Ear, Site, listening_site, until
from mien.bench.speaker import SocketSpeaker, WhipSpeaker
from mien.config import load_settings
from mien.media.microphone import RATE
from mien.server import microphone_ws
from mien.server.sockets import REPLACED, SESSION_ENDED, TOO_FAST
from mien.services import open_services
from tones import spelled, tones

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = "a token with spaces"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        # Client and server stop together on a busy machine: that is no silence of the speaker.
        patch.setattr(microphone_ws, "SLACK_SEC", 30.0)
        settings = load_settings(None, greet=False, sessions={"max": 50, "idle_sec": 600})
        async with open_services(settings) as services, listening_site(services, TOKEN) as one:
            yield one


@asynccontextmanager
async def opened(
    site: Site, session: str, query: str = "rate=16000", token: str = TOKEN, **options: Any
) -> AsyncIterator[ClientConnection]:
    url = f"{site.url.replace('http', 'ws')}/ws/{session}/microphone?{query}&token={quote(token)}"
    async with connect(url, compression=None, **options) as socket:
        yield socket


@asynccontextmanager
async def speaking(site: Site, ear: Ear, rate: int = RATE) -> AsyncIterator[SocketSpeaker]:
    speaker = SocketSpeaker(rate)
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        await speaker.connect(site.url, ear.id, additional_headers=headers)
        await until(lambda: ear.pieces, "the silence before speech")
        yield speaker
    finally:
        await speaker.aclose()


async def closing(socket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(60):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def test_what_is_spoken_is_heard_where_it_was(site: Site) -> None:
    ear = await site.ear()
    async with speaking(site, ear, 8_000) as speaker:
        begun = await speaker.play(tones("hello", RATE))
        await speaker.play(np.zeros(RATE // 2, np.int16))
        begun = await speaker.play(tones("world", RATE)) - begun
        await until(lambda: len(ear.words()) == 2 and len(ear.words()[1]) == 5, "two words")
        assert ear.labels == ["WebSocket 8000 Hz"]
    await until(lambda: not ear.session.microphones, "the microphone's end")
    assert ear.words() == [spelled("hello"), spelled("world")]
    first, second = ear.onsets()
    assert abs((second - first) / RATE - begun) < 0.002
    assert ear.labels[1:] == [None]


async def test_messages_may_be_cut_anywhere(site: Site) -> None:
    ear = await site.ear()
    data = tones("abcdefgh", RATE).astype("<i2").tobytes()
    chance = np.random.default_rng(1)
    async with opened(site, ear.id) as socket:
        await socket.send(b"")
        begin = 0
        while begin < len(data):
            size = int(chance.integers(1, 999))
            await socket.send(data[begin : begin + size])
            begin += size
        await socket.send(bytes(64_000))  # two seconds at once
        await until(lambda: ear.sound.nbytes == len(data) + 64_000, "all of it")
    assert ear.sound[: len(data) // 2].tobytes() == data


async def test_three_at_once_never_cross(site: Site) -> None:
    words = ("abcdefgh", "ijklmnop", "qrstuvwx")
    ears = [await site.ear() for _ in words]
    async with (
        speaking(site, ears[0], 8_000) as first,
        speaking(site, ears[1], 48_000) as second,
        speaking(site, ears[2], 44_100) as third,
    ):
        for word, speaker in zip(words, (first, second, third), strict=True):
            await speaker.play(tones(word, RATE))
        for word, ear in zip(words, ears, strict=True):
            await until(lambda ear=ear, word=word: ear.words() == [spelled(word)], word)


async def test_the_one_who_is_replaced_is_told(site: Site) -> None:
    ear = await site.ear()
    async with opened(site, ear.id) as first, opened(site, ear.id, "rate=8000") as second:
        assert await closing(first) == (REPLACED, "another_microphone")
        speaker = WhipSpeaker()
        await speaker.connect(site.http, f"/whip/{ear.id}")
        assert await closing(second) == (REPLACED, "another_microphone")
        async with opened(site, ear.id) as fourth:
            await until(lambda: speaker.connection.connectionState == "closed", "its end")
            await site.http.delete(f"/api/v1/sessions/{ear.id}")
            assert await closing(fourth) == (SESSION_ENDED, "no_such_session")
        await speaker.aclose()
    four = ["WebSocket 16000 Hz", "WebSocket 8000 Hz", "WebRTC", "WebSocket 16000 Hz"]
    assert ear.labels == [*four, None]


async def test_what_is_no_microphone_is_sent_away(site: Site) -> None:
    ear = await site.ear()
    async with opened(site, ear.id) as socket:
        await socket.send('{"audio": "UklGRg=="}')
        code, reason = await closing(socket)
        assert code == 1003 and "int16" in (reason or "")
    async with opened(site, ear.id, "rate=8000") as socket:
        with suppress(ConnectionClosed):
            for _ in range(30):
                await socket.send(bytes(16_000))  # a second
        assert (await closing(socket))[0] == TOO_FAST
    assert len(ear.sound) / RATE < 30
    async with opened(site, ear.id) as socket:
        await socket.send(bytes(100_000))
        assert (await closing(socket))[0] == 1009  # too large
    async with opened(site, "none") as socket:
        assert await closing(socket) == (SESSION_ENDED, "no_such_session")
    await until(lambda: not ear.session.microphones, "their end")


async def test_who_sends_nothing_is_silent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone_ws, "SLACK_SEC", 0.1)
    ear = await site.ear()
    async with opened(site, ear.id) as socket:
        await socket.send(tones("a", RATE).tobytes())
        await until(lambda: len(ear.sound) > RATE, "a second of silence")
        await socket.send(tones("b", RATE).tobytes())
        await until(lambda: len(ear.words()) == 2, "the next word")
    assert ear.words() == [spelled("a"), spelled("b")]


@pytest.mark.parametrize(
    ("query", "token", "origin", "status", "code"),
    [
        ("", "wrong", None, 401, "no_token"),
        ("", TOKEN, "http://evil.example", 403, "foreign_origin"),
        ("rate=7999", TOKEN, None, 422, "bad_rate"),
        ("rate=48001", TOKEN, None, 422, "bad_rate"),
        ("rate=1e4", TOKEN, None, 422, "bad_rate"),
    ],
)
async def test_strangers_and_nonsense_are_refused(
    site: Site, query: str, token: str, origin: Any, status: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(site, "any", query, token, origin=origin):
            pass
    assert refused.value.response.status_code == status
    error = json.loads(refused.value.response.body)["error"]
    assert error["code"] == code and error["message"]["zh"]
