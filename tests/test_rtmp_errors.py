"""Everything that keeps a stream off the air, each in its own words, and soon."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from certificates import server_context
from mien.media.output import OutputError
from mien.media.program import Program
from mien.media.rtmp.amf0 import encode
from mien.media.rtmp.chunks import ChunkWriter, Message
from mien.media.rtmp.output import RtmpOutput
from mien.media.rtmp.protocol import COMMAND
from rtmp_server import SERVERS, real_server
from ticking import FlashBeep

SECRET = "s3cr3t-key"
PATIENCE = 30.0


async def why_not(url: str, key: str = SECRET, tls: ssl.SSLContext | None = None) -> OutputError:
    """The error of one attempt; what it says is fit to be shown."""
    with ThreadPoolExecutor(1) as executor:
        program = Program(FlashBeep(), (320, 240), executor)
        running = asyncio.create_task(program.run())
        output = RtmpOutput(url, key, tls=tls)
        try:
            with pytest.raises(OutputError) as caught:
                async with asyncio.timeout(PATIENCE):
                    await output.run(program, lambda: None)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    error = caught.value
    assert SECRET not in f"{error}{error.zh}{output.label}{output.figures()}"
    assert str(error).endswith((".", "?")) and error.zh.endswith("。")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in error.zh)
    assert error.retryable  # a stream may be unattended
    return error


@asynccontextmanager
async def server_that(say: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answers whatever it is told with ``say``; with None it hangs up. Gives its host and port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(1)
            if say is not None:
                writer.write(say)
                await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_no_such_host() -> None:
    error = await why_not("rtmp://nowhere.invalid/live")
    assert error.code == "unknown_host" and "nowhere.invalid" in str(error)


async def test_nothing_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # and does not listen
        error = await why_not(f"rtmp://127.0.0.1:{sock.getsockname()[1]}/live")
    assert error.code == "refused"


async def test_servers_that_accept_and_are_silent() -> None:
    """With and without TLS, at the same time: each waits for as long as one may."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        plain, secure = await asyncio.gather(
            why_not(f"rtmp://{address}/live"), why_not(f"rtmps://{address}/live")
        )
    assert plain.code == "silent" and "said nothing" in str(plain)
    assert secure.code == "tls" and "rtmp://" in str(secure)


@pytest.mark.parametrize(
    ("say", "code", "hint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not_rtmp", "Check the port"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_rtmp", "Check the port"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not_rtmp", "rtmps://"),
        (None, "closed", "rtmps://"),
        (b"\x03" + bytes(2 * 1536) + b"\x03\0\0\0\xff\xff\xff\x14\0\0\0\0", "closed", "no RTMP"),
        (b"\x03" + bytes(2 * 1536) + b"\x03\0\0\0\0\0\x02\x14\0\0\0\0\x02\xff", "closed", "AMF0"),
    ],
)
async def test_something_else_listens(say: bytes | None, code: str, hint: str) -> None:
    async with server_that(say) as address:
        error = await why_not(f"rtmp://{address}/live")
    assert error.code == code and hint in str(error)


@pytest.mark.parametrize("stream", [1, 0, -1, 1e300, float("nan")])
async def test_a_server_that_says_yes_and_hangs_up(stream: float) -> None:
    """As node-media-server does to a second publisher; numbers that are none change nothing."""
    writer = ChunkWriter()
    answers = {
        b"connect": ("_result", 1, float("inf"), {"code": "NetConnection.Connect.Success"}),
        b"createStream": ("_result", 4, None, stream),
        b"publish": ("onStatus", 0, None, {"level": "status", "code": "NetStream.Publish.Start"}),
    }

    async def serve(reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        out.write(b"\x03" + bytes(2 * 1536))
        for command, values in answers.items():
            await reader.readuntil(command)
            out.write(writer.write(3, Message(COMMAND, encode(*values))))
        out.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        error = await why_not(f"rtmp://127.0.0.1:{server.sockets[0].getsockname()[1]}/live")
    assert error.code == "rejected" and "stream key" in str(error)


async def test_tls_that_is_none() -> None:
    async with server_that(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        error = await why_not(f"rtmps://{address}/live")
    assert error.code == "tls" and "rtmp://" in str(error)


async def test_certificates_that_do_not_fit(tmp_path: Path) -> None:
    server, _ = server_context(tmp_path)
    async with server_that(b"", server) as address:
        strange = await why_not(f"rtmps://{address}/live")
    assert strange.code == "tls" and "self-signed" in str(strange)
    server, trusting = server_context(tmp_path, expired=True)
    async with server_that(b"", server) as address:
        old = await why_not(f"rtmps://{address}/live", tls=trusting)
    assert old.code == "tls" and "expired" in str(old)
    server, trusting = server_context(tmp_path, host="example.com")
    async with server_that(b"", server) as address:
        other = await why_not(f"rtmps://{address}/live", tls=trusting)
    assert other.code == "tls" and "127.0.0.1" in str(other)


@pytest.mark.parametrize("kind", SERVERS)
async def test_what_a_server_refuses(kind: str) -> None:
    with real_server(kind) as server:
        wrong = await why_not(server.url, f"wrong-{SECRET}")
        assert wrong.code == "rejected" and "stream key" in str(wrong)
        if kind == "nginx":  # SRS takes any application
            app = await why_not(f"rtmp://127.0.0.1:{server.port}/nothing")
            assert app.code == "rejected" and "application" in str(app)
        live = asyncio.Event()
        first = asyncio.create_task(hold(server.url, live.set))
        await asyncio.wait_for(live.wait(), PATIENCE)
        taken = await why_not(server.url)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert taken.code == ("duplicate" if kind == "nginx" else "rejected")


async def hold(url: str, on_live: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as executor:
        program = Program(FlashBeep(), (320, 240), executor)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(program.run())
            tasks.create_task(RtmpOutput(url, SECRET).run(program, on_live))
