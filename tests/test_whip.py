"""On the air by WHIP: at a real endpoint, with every way it can refuse."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from mien.media.output import OutputError
from mien.media.program import Program
from mien.media.whip import faults
from mien.media.whip.links import ice_links, ice_servers
from mien.media.whip.output import WhipOutput
from mien.media.whip.url import parse_endpoint
from srs import SRS, srs_server
from ticking import counted, programme
from whip_server import TOKEN, unreachable, whip_server

PATIENCE = 30.0


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@asynccontextmanager
async def on_air(output: WhipOutput, program: Program) -> AsyncIterator[asyncio.Task[None]]:
    """``output`` runs and is live; in the end it is stopped on purpose."""
    live = asyncio.Event()
    task = asyncio.create_task(output.run(program, live.set))
    try:
        waiting = asyncio.create_task(live.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - several things are waited for
            await asyncio.sleep(0.02)


async def fault(output: WhipOutput, program: Program) -> OutputError:
    with pytest.raises(OutputError) as raised:
        async with asyncio.timeout(PATIENCE):
            await output.run(program, lambda: None)
    error = raised.value
    for text in (str(error), error.zh, output.label):
        assert TOKEN not in text and "/live" not in text, text
    return error


async def test_published_watched_and_left_as_the_standard_says(
    threads: ThreadPoolExecutor,
) -> None:
    async with programme(threads) as program, whip_server() as server:
        output = WhipOutput(f"whip:{server.url}", TOKEN)
        async with on_air(output, program):
            (publisher,) = server.publishers.values()
            await until(lambda: len(publisher.pictures) >= 15 and publisher.sounds >= 25)
            figures = output.figures()
        numbers = [counted(picture) for picture in publisher.pictures]
        assert numbers == sorted(set(numbers))
        assert int(figures["bytes"]) > 1000 and figures["dropped"] == 0
    assert server.gone == [publisher]
    offer, farewell = server.asked
    assert offer.headers["content-type"] == "application/sdp"
    assert offer.headers["authorization"] == f"Bearer {TOKEN}"
    assert farewell.method == "DELETE"
    assert publisher.offer.count("a=sendonly") == 2
    # Constrained baseline before all else, Opus, nothing that is not sent.
    assert "VP8" not in publisher.offer and "opus/48000/2" in publisher.offer
    assert publisher.offer.index("42e01f") < publisher.offer.index("42001f")


async def test_several_share_one_encoder(threads: ThreadPoolExecutor) -> None:
    async with programme(threads) as program, whip_server() as server:
        one, two = (WhipOutput(server.url, TOKEN) for _ in range(2))
        async with on_air(one, program), on_air(two, program):
            first, second = server.publishers.values()
            await until(lambda: first.pictures and second.pictures)
            encoded = program.encoded
            seen = len(first.pictures)
            await until(lambda: len(first.pictures) >= seen + 40)
            assert program.encoded - encoded <= 65  # not twice as many


async def test_follows_redirects_but_gives_no_other_origin_the_token(
    threads: ThreadPoolExecutor,
) -> None:
    async with programme(threads) as program, whip_server() as server, whip_server() as other:
        moved = iter([307, 308])

        def redirect(request: Request) -> Response | None:
            status = next(moved, None)
            return RedirectResponse("/whip/live", status) if status else None

        server.before = redirect
        server.location = f"{httpx.URL(server.url).join('/sessions/')}{{id}}"
        async with on_air(WhipOutput(server.url, TOKEN), program):
            pass
        assert [request.method for request in server.asked] == ["POST", "POST", "POST", "DELETE"]
        server.before = lambda request: RedirectResponse(other.url, 307)
        error = await fault(WhipOutput(server.url, TOKEN), program)
        assert error.code == "rejected"
        assert "authorization" not in other.asked[0].headers


def said(status: int, body: str = "", kind: str = "text/plain") -> Callable[[Request], Response]:
    return lambda request: Response(body, status, media_type=kind)


REFUSALS = [
    (said(401), "rejected", "token"),
    (said(403, f"no {TOKEN} here"), "rejected", "token"),
    (said(404, "<html><title>Nothing &lt;here&gt;</title>", "text/html"), "rejected", "Nothing"),
    (said(409, "stream /whip/live is busy"), "duplicate", "is busy"),
    (lambda request: JSONResponse({"code": 400, "detail": "no H264"}, 422), "rejected", "no H264"),
    (said(303), "rejected", "elsewhere"),
    (said(503, "full"), "busy", "full"),
    (said(500, "oh no"), "server_error", "oh no"),
    (said(200, "<p>hello", "text/html"), "rejected", "without an SDP answer"),
    (said(201, "v=0 nonsense", "application/sdp"), "rejected", "cannot be used"),
    (lambda request: RedirectResponse("/whip/live", 307), "rejected", "without end"),
]


async def test_every_refusal_is_told_in_its_words(threads: ThreadPoolExecutor) -> None:
    async with programme(threads) as program, whip_server() as server:
        for reply, code, words in REFUSALS:
            server.before = reply
            error = await fault(WhipOutput(server.url, TOKEN), program)
            assert (error.code, words in str(error)) == (code, True), str(error)
            assert error.retryable
        server.before = lambda request: None
        error = await fault(WhipOutput(server.url, "wrong"), program)
        assert error.code == "rejected" and "bad token: Bearer" in str(error)


async def test_nobody_there_or_somebody_else(threads: ThreadPoolExecutor) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}/live"
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with programme(threads) as program, server:
        for url, code in (
            (refused, "refused"),
            (f"http://127.0.0.1:{port}/live", "not_http"),
            (f"https://127.0.0.1:{port}/live", "tls"),
            ("https://no-such-host.invalid/live", "unknown_host"),
        ):
            assert (await fault(WhipOutput(url, TOKEN), program)).code == code, url


async def test_who_does_not_answer_is_not_waited_for(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "HTTP_SEC", 1.0)
    monkeypatch.setattr(faults, "MEDIA_SEC", 1.0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with programme(threads) as program, server, whip_server() as deaf:
        deaf.change_offer = deaf.change_answer = unreachable
        mute = await fault(WhipOutput(f"http://127.0.0.1:{port}/live", TOKEN), program)
        monkeypatch.setattr(faults, "HTTP_SEC", PATIENCE)
        no_path = await fault(WhipOutput(deaf.url, TOKEN), program)
    assert mute.code == "silent"
    assert no_path.code == "no_media_path"
    assert len(deaf.gone) == 1  # it was told that nobody comes


async def test_a_connection_that_ends_later_is_told(threads: ThreadPoolExecutor) -> None:
    async with programme(threads) as program, whip_server() as server:
        output = WhipOutput(server.url, TOKEN)
        async with on_air(output, program) as running:
            (publisher,) = server.publishers.values()
            await until(lambda: publisher.pictures)
            await publisher.connection.close()
            async with asyncio.timeout(PATIENCE):
                await asyncio.wait([running])
            error = running.exception()
    assert isinstance(error, OutputError) and error.code == "closed" and error.retryable


async def test_servers_of_the_answer_are_tried_when_there_is_no_other_way(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "MEDIA_SEC", 0.5)
    async with programme(threads) as program, whip_server() as server:
        server.change_offer = server.change_answer = unreachable
        server.links = ('<stun:127.0.0.1:9>; rel="ice-server"',)
        assert (await fault(WhipOutput(server.url, TOKEN), program)).code == "no_media_path"
    assert [request.method for request in server.asked] == ["POST", "DELETE"] * 2


def test_ice_servers_are_read_as_they_are_written() -> None:
    header = (
        '<stun:stun.example.net>; rel="ice-server", '
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="us,er"; '
        'credential="a \\"b;c\\""; credential-type="password"'
    )
    servers = ice_servers([header, '<https://x>; rel="next"', "nonsense"])
    assert [s.urls for s in servers] == [
        "stun:stun.example.net",
        "turn:turn.example.net?transport=udp",
    ]
    assert (servers[1].username, servers[1].credential) == ("us,er", 'a "b;c"')
    assert ice_servers([", ".join(ice_links(servers))]) == servers


@pytest.mark.parametrize(
    "url",
    ["whip:", "whip:rtmp://host/x", "whip:https:///x", "whip:https://me:pass@host/x", "camera"],
)
def test_what_is_no_address_is_told_at_once(url: str) -> None:
    with pytest.raises(OutputError) as raised:
        parse_endpoint(url, None)
    assert raised.value.code == "bad_url" and not raised.value.retryable
    assert "pass" not in str(raised.value)


@pytest.mark.skipif(not SRS, reason="needs SRS (MIEN_SRS_BIN)")
async def test_srs_takes_it(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    async with programme(threads) as program, srs_server(tmp_path) as srs:
        async with on_air(WhipOutput(srs.whip("mien")), program):
            stream: dict[str, Any] = {}
            async with asyncio.timeout(PATIENCE):
                while not (stream.get("video") and stream.get("audio")):
                    stream = next(iter(await srs.streams()), {})
                    await asyncio.sleep(0.1)
            assert stream["video"]["codec"] == "H264" and stream["publish"]["active"]
        async with asyncio.timeout(PATIENCE):  # it was told of the end
            while any(one["publish"]["active"] for one in await srs.streams()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
