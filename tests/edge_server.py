"""A local server that speaks the wire format of Edge's "read aloud", well or badly on purpose.

    async with EdgeServer() as server:
        server.faults = ["503"]          # for the first connection; the next ones are good
        ...
        assert server.requests[0].text == "hello"

Each word is a beep of 0.2 s that begins when its WordBoundary says, 0.3 s after the one before.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from xml.sax.saxutils import unescape

import av
import numpy as np
from aiohttp import WSMsgType, web

RATE = 24_000
FIRST_SEC, STEP_SEC, BEEP_SEC = 0.1, 0.3, 0.2
#: Everything that can go wrong with a connection.
FAULTS = {
    "403": "refuse, with the server's time",
    "403 without date": "refuse, without it",
    "503": "refuse: busy",
    "hang": "accept and never answer",
    "stall": "half of the sound, then nothing more",
    "cut": "half of the sound, then break the connection",
    "close": "half of the sound, then close politely, without turn.end",
    "no audio": "only turn.end",
    "new format": "a message that edge-tts does not know",
    "wordless": "sound without word boundaries",
    "late words": "word boundaries behind all sound",
}


@dataclass
class Request:
    """One clause as it was asked for."""

    ssml: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    sent_bytes: int = 0
    finished: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        inner = re.search(r"<prosody[^>]*>(.*)</prosody>", self.ssml, re.DOTALL)
        return unescape(inner[1]) if inner else ""

    def attribute(self, name: str) -> str:
        found = re.search(rf"<prosody[^>]* {name}='([^']*)'", self.ssml)
        return found[1] if found else ""

    @property
    def voice(self) -> str:
        found = re.search(r"<voice name='[^(]*\((.+), (.+)\)'>", self.ssml)
        return f"{found[1]}-{found[2]}" if found else ""


class EdgeServer:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.pace_sec = 0.0
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> EdgeServer:
        app = web.Application()
        app.router.add_get("/edge/v1", self._connection)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"ws://127.0.0.1:{port}/edge/v1?TrustedClientToken=test"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _connection(self, http: web.Request) -> web.StreamResponse:
        request = Request(headers=dict(http.headers))
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else ""
        try:
            if fault.startswith("403"):
                refusal = web.Response(status=403)
                if fault == "403 without date":
                    refusal.headers["Date"] = ""
                return refusal
            if fault == "503":
                return web.Response(status=503)
            socket = web.WebSocketResponse()
            await socket.prepare(http)
            request.ssml = await self._ssml(socket)
            self.asked.set()
            assert http.transport is not None
            await self._answer(socket, request, fault, http.transport)
            return socket
        finally:
            request.ended.set()

    async def _ssml(self, socket: web.WebSocketResponse) -> str:
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            head, _, body = message.data.partition("\r\n\r\n")
            if "Path:speech.config" in head:
                options = json.loads(body)["context"]["synthesis"]["audio"]["metadataoptions"]
                assert options["wordBoundaryEnabled"] == "true"
            elif "Path:ssml" in head:
                return str(body)
        raise ConnectionError("the client left")

    async def _answer(
        self, socket: web.WebSocketResponse, request: Request, fault: str, transport: Any
    ) -> None:
        await socket.send_str(_text("turn.start", {"context": {"serviceTag": "x"}}))
        if fault == "hang":
            await self._until_gone(socket)
            return
        if fault == "new format":
            await socket.send_str(_text("audio.hologram", {}))
        words = spoken_words(request.text)
        boundaries = [_boundary(i, word) for i, word in enumerate(words)]
        if fault not in ("wordless", "late words", "no audio"):
            for boundary in boundaries:
                await socket.send_str(boundary)
        sound = b"" if fault == "no audio" else mp3(len(words))
        pieces = [sound[at : at + 720] for at in range(0, len(sound), 720)]
        broken = fault in ("stall", "cut", "close")
        for piece in pieces[: len(pieces) // 2] if broken else pieces:
            await socket.send_bytes(_binary(piece))
            request.sent_bytes += len(piece)
            await asyncio.sleep(self.pace_sec)
        if fault == "stall":
            await self._until_gone(socket)
        elif fault == "cut":
            transport.abort()
        elif fault == "close":
            await socket.close()
        else:
            if fault == "late words":
                for boundary in boundaries:
                    await socket.send_str(boundary)
            await socket.send_bytes(_binary(b"", content_type=False))
            await socket.send_str(_text("turn.end", {}))
            request.finished = True
            await self._until_gone(socket)

    async def _until_gone(self, socket: web.WebSocketResponse) -> None:
        async for _ in socket:
            pass


def spoken_words(text: str) -> list[str]:
    """As the service cuts them: Chinese by words of two characters, the rest at blanks."""
    return re.findall(r"[\u3400-\u9fff]{1,2}|[\w'’&.-]*\w", text)


def word_sec(index: int) -> float:
    return FIRST_SEC + STEP_SEC * index


def _boundary(index: int, word: str) -> str:
    data = {
        "Offset": round(word_sec(index) * 1e7),
        "Duration": round(BEEP_SEC * 1e7),
        "text": {"Text": word, "Length": len(word), "BoundaryType": "WordBoundary"},
    }
    return _text("audio.metadata", {"Metadata": [{"Type": "WordBoundary", "Data": data}]})


def _text(path: str, body: object) -> str:
    head = f"X-RequestId:1\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}"
    return f"{head}\r\n\r\n{json.dumps(body)}"


def _binary(data: bytes, content_type: bool = True) -> bytes:
    kind = "Content-Type:audio/mpeg\r\n" if content_type else ""
    head = f"X-RequestId:1\r\n{kind}X-StreamId:2\r\nPath:audio\r\n".encode()
    return len(head).to_bytes(2, "big") + head + data


def mp3(words: int) -> bytes:
    """The beeps, as the service encodes them: 24 kHz, 48 kbit/s, mono, no header."""
    length = round((word_sec(words) + 0.2) * RATE)
    wave = np.zeros(length, np.float32)
    for index in range(words):
        begin = round(word_sec(index) * RATE)
        beep = np.arange(round(BEEP_SEC * RATE)) / RATE
        wave[begin : begin + len(beep)] = 0.5 * np.sin(2 * np.pi * 440 * beep)
    encoder: Any = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.bit_rate = RATE, "mono", 48_000
    encoder.format = "fltp"
    encoder.open()
    data = b""
    for at in range(0, length, encoder.frame_size):
        frame = av.AudioFrame.from_ndarray(
            wave[None, at : at + encoder.frame_size], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = RATE, at
        data += b"".join(bytes(packet) for packet in encoder.encode(frame))
    return data + b"".join(bytes(packet) for packet in encoder.encode(None))
