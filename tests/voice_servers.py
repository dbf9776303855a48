"""Servers that speak the wire formats of speech servers, well or badly on purpose.

    async with VoiceServer(gpt_sovits) as server:
        voice = GptSovitsVoice("anna", GptSovitsSettings(url=server.url, ...))
        ...
        assert heard(pcm, 48_000) == spelled("你好")
        server.fault = "cut"

The formats are in ``voice_dialects``, what they say and how to hear it in ``tones``. The server is
written on raw asyncio streams, like ``fake_openai``, because the faults that matter are below what
a web framework lets one control. ``voice_server_thread`` runs one beside tests that have no event
loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from tones import encoded, tones
from voice_dialects import ERRORS_IN_200, Asked, Dialect, Reply, Speech

FAULTS: dict[str, str] = {
    "http_400": "status 400 with JSON",
    "http_401": "status 401 with JSON",
    "http_404": "status 404 with JSON",
    "http_429": "status 429 with JSON",
    "http_500": "status 500 with a page",
    "http_503": "status 503 with a page",
    "huge_error": "status 500 with 4 MB of text",
    "redirect": "status 302 to elsewhere",
    "error_in_200": "an error by the wire format's own custom, or JSON, with status 200",
    "text_as_sound": "an error message as audio/wav",
    "html_in_200": "a login page with status 200",
    "slow": "no byte for `pause_sec`",
    "stall": "half the sound, then nothing more, connection open",
    "cut": "half the sound, then a reset",
    "truncated": "half the sound, then the end of the connection without the end of the answer",
    "close": "the connection ends without an answer",
    "garbage": "random bytes by the name of sound",
    "wrong_header": "a WAV header with impossible numbers",
    "endless": "the sound again and again",
    "empty": "a correct answer without a byte of sound",
    "silence": "a second of zeros, as GPT-SoVITS sends when it has failed",
    "silence_first": "half a second of zeros before the sound",
    "odd": "the sound in pieces of 1, 3, 5, … bytes",
}


# Those that can be sent in one body; of the others a part is missing or late.
_WHOLE = (None, "wrong_header", "garbage", "silence", "silence_first")


class VoiceServer:
    """The server, as an async context manager on 127.0.0.1 and a free port.

    fault: how the next requests for speech go wrong, see FAULTS; None: they do not.
    After ``hold``, answers stop when half their sound is sent, and go on with ``release``; so a
    test can show that sound is heard before the server has sent it all.
    """

    def __init__(self, dialect: Dialect, fault: str | None = None) -> None:
        self.dialect = dialect
        self.fault = fault
        self.pause_sec = 60.0
        self.asked: list[Asked] = []
        self.connections = 0
        self.asked_to_speak = asyncio.Event()
        """Set with the first request for speech."""
        self._go = asyncio.Event()
        self._go.set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> VoiceServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, after ``stop`` again on the same port."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def open_connections(self) -> int:
        return len(self._tasks)

    @property
    def texts(self) -> list[str]:
        """What it was asked to say, in order."""
        return [asked.text for asked in self.asked if asked.text]

    def hold(self) -> None:
        self._go.clear()

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._go.set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        asked: Asked | None = None
        try:
            while (asked := await _read(reader, writer)) is not None:
                self.asked.append(asked)
                if not await self._answer_until_hangup(asked, reader, writer):
                    break
                asked.closed.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            if asked is not None:
                asked.disconnected = True
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            if asked is not None:
                asked.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _answer_until_hangup(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection can be used again."""
        answer = asyncio.create_task(self._answer(asked, writer))
        hangup = asyncio.create_task(_wait_for_eof(reader))
        try:
            await asyncio.wait({answer, hangup}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                asked.finished = True
                return answer.result()
            asked.disconnected = True
            return False
        finally:
            for task in (answer, hangup):
                task.cancel()
            await asyncio.gather(answer, hangup, return_exceptions=True)

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        said = self.dialect(asked)
        if isinstance(said, Reply):
            await _send_whole(writer, said.status, said.content_type, said.data)
            return True
        asked.text = said.text
        self.asked_to_speak.set()
        return await self._speak(said, writer)

    async def _speak(self, speech: Speech, writer: asyncio.StreamWriter) -> bool:
        fault = self.fault
        if fault == "close":
            return False
        if fault == "slow":
            await asyncio.sleep(self.pause_sec)
        reply = _fault_reply(fault, self.dialect)
        if reply is not None:
            await _send_whole(writer, reply.status, reply.content_type, reply.data)
            return True
        body = _body(speech, fault)
        if speech.whole and fault in _WHOLE:
            await _send_whole(writer, 200, speech.content_type, body, speech.headers)
            return True
        await _begin_chunks(writer, speech)
        async for part in self._parts(body, fault):
            await _send_chunk(writer, part)
        if fault == "stall":
            await asyncio.Event().wait()
        if fault == "cut":
            await asyncio.sleep(0.05)  # let the client read what was sent before the reset
            writer.transport.abort()
            return False
        if fault == "truncated":
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _parts(self, body: bytes, fault: str | None) -> AsyncIterator[bytes]:
        half = len(body) // 2
        if fault == "odd":
            at, step = 0, 1
            while at < len(body):
                yield body[at : at + step]
                at, step = at + step, step + 2
            return
        if fault == "endless":
            while True:
                yield body
        if body:
            yield body[:half]
        if fault in ("stall", "cut", "truncated"):
            return
        await self._go.wait()
        if body:
            yield body[half:]


def _fault_reply(fault: str | None, dialect: Dialect) -> Reply | None:
    if fault == "error_in_200":
        return ERRORS_IN_200.get(dialect, Reply(200, {"message": "made to fail"}))
    if fault == "html_in_200":
        return Reply(200, "<html><body>Log in first</body></html>", "text/html")
    if fault == "text_as_sound":
        return Reply(200, "error: made to fail", "audio/wav")
    if fault == "huge_error":
        return Reply(500, "made to fail " * 300_000, "text/plain")
    if fault == "redirect":
        return Reply(302, "elsewhere", "text/plain")
    if fault is not None and fault.startswith("http_"):
        status = int(fault[5:])
        if status >= 500:
            page = "<html><title>made to fail</title><script>x()</script></html>"
            return Reply(status, page, "text/html")
        return Reply(status, {"message": "made to fail"})
    return None


def _body(speech: Speech, fault: str | None) -> bytes:
    if fault == "empty":
        return b""
    if fault == "garbage":
        return np.random.default_rng(5).bytes(20_000)
    if fault == "silence":
        pcm = np.zeros(16_000, np.int16)
        return encoded(pcm, 16_000, speech.form)
    pcm = tones(speech.text, speech.rate)
    if fault == "silence_first":
        pcm = np.concatenate([np.zeros(speech.rate // 2, np.int16), pcm])
    data = encoded(pcm, speech.rate, speech.form)
    if fault == "wrong_header":
        wrong = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 99, 3, 0, 0, 16)
        return wrong + b"data\xff\xff\xff\xff" + data
    return data


async def _wait_for_eof(reader: asyncio.StreamReader) -> None:
    # Reading would notice as well, but could take the first byte of the next request.
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked | None:
    try:
        first = await reader.readexactly(1)
        if not first.isalpha():  # the beginning of TLS, most likely
            await _send_whole(writer, 400, "text/plain", b"Invalid HTTP request received.")
            return None
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = start.split(" ", 2)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    fields = _fields(headers.get("content-type", ""), body)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, fields)


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    if content_type.startswith("application/json"):
        return dict(json.loads(body))
    if content_type.startswith("multipart/form-data"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        found: dict[str, Any] = {}
        for part in BytesParser().parsebytes(head + body).get_payload():  # type: ignore[union-attr]
            name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
            payload = part.get_payload(decode=True)  # type: ignore[union-attr]
            is_file = part.get_filename() is not None  # type: ignore[union-attr]
            found[str(name)] = payload if is_file else payload.decode()  # type: ignore[union-attr]
        return found
    return dict(parse_qsl(body.decode()))


async def _send_whole(
    writer: asyncio.StreamWriter,
    status: int,
    content_type: str,
    data: bytes,
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = (
        f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(data)}\r\n{more}\r\n"
    )
    writer.write(head.encode() + data)
    await writer.drain()


async def _begin_chunks(writer: asyncio.StreamWriter, speech: Speech) -> None:
    more = "".join(f"{name}: {value}\r\n" for name, value in speech.headers)
    kind = f"Content-Type: {speech.content_type}\r\n" if speech.content_type else ""
    writer.write(f"HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n{more}\r\n".encode())
    await writer.drain()


async def _send_chunk(writer: asyncio.StreamWriter, part: bytes) -> None:
    if part:
        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        await writer.drain()
        await asyncio.sleep(0)  # one write, one TCP segment, as far as possible


@contextlib.contextmanager
def voice_server_thread(dialect: Dialect) -> Iterator[VoiceServer]:
    """A server in a thread of its own; set its ``fault`` from anywhere."""
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def serve() -> None:
        async with VoiceServer(dialect) as server:
            box.update(server=server, loop=asyncio.get_running_loop(), end=asyncio.Event())
            ready.set()
            await box["end"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="voice server")
    thread.start()
    try:
        assert ready.wait(10), "the voice server does not start"
        yield box["server"]
    finally:
        box["loop"].call_soon_threadsafe(box["end"].set)
        thread.join(60)
