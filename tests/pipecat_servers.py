"""Local servers for TTS services of pipecat: OpenAI's over HTTP, Cartesia's over a WebSocket.

    async with OpenAIServer() as server:
        server.faults = ["500"]          # for the first clause; the next ones are good
        ...

Each word is a beep of 0.1 s, 0.2 s after the one before; the first begins at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

RATE = 24_000
STEP_SEC, BEEP_SEC = 0.2, 0.1
_PIECE_BYTES = round(0.05 * RATE) * 2


@dataclass(eq=False)
class Clause:
    """One clause as it was asked for."""

    text: str
    request: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    sent_bytes: int = 0
    finished: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class _Server:
    route: Any

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.pace_sec = 0.0
        self.clauses: list[Clause] = []
        self.asked = asyncio.Event()
        self.address = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Any:
        app = web.Application()
        app.add_routes([self._route()])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.address = f"127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _route(self) -> web.RouteDef:
        raise NotImplementedError

    def _begin(self, clause: Clause) -> str:
        self.clauses.append(clause)
        self.asked.set()
        return self.faults.pop(0) if self.faults else ""


class OpenAIServer(_Server):
    """``POST /v1/audio/speech``. Faults: 500, 401, hang, cut, silent."""

    path, field = "/v1/audio/speech", "input"

    @property
    def url(self) -> str:
        return f"http://{self.address}/v1"

    def _route(self) -> web.RouteDef:
        return web.post(self.path, self._speech)

    async def _speech(self, http: web.Request) -> web.StreamResponse:
        request = await http.json()
        clause = Clause(request[self.field], request, dict(http.headers))
        fault = self._begin(clause)
        try:
            if fault in ("500", "401"):
                message = {"error": {"message": f"fault {fault}"}}
                return web.json_response(message, status=int(fault))
            response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
            await response.prepare(http)
            if fault == "hang":
                await asyncio.sleep(60)
            pcm = b"" if fault == "silent" else beeps(len(words_of(clause.text)))
            for at in range(0, len(pcm), _PIECE_BYTES):
                if fault == "cut" and at >= len(pcm) // 2:
                    assert http.transport is not None
                    http.transport.abort()
                    return response
                await response.write(pcm[at : at + _PIECE_BYTES])
                clause.sent_bytes += _PIECE_BYTES
                await asyncio.sleep(self.pace_sec)
            clause.finished = True
            return response
        finally:
            clause.ended.set()


class DeepgramServer(OpenAIServer):
    """``POST /v1/speak``; pipecat's client of it wants an HTTP session from its user."""

    path, field = "/v1/speak", "text"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class CartesiaServer(_Server):
    """Faults: error, cut, close, stall, mute, wordless, untimed, deaf.

    The first four come after half of the sound. deaf: it goes on with a clause after it
    was told to cancel it. untimed: it leaves out the last word's time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connections = 0
        self.refuse = False
        self.cancelled: list[str] = []

    @property
    def url(self) -> str:
        return f"ws://{self.address}/tts/websocket"

    def _route(self) -> web.RouteDef:
        return web.get("/tts/websocket", self._connection)

    async def _connection(self, http: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.Response(status=401, text="no such key")
        self.connections += 1
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        speaking: dict[str, asyncio.Task[None]] = {}
        deaf: set[str] = set()
        try:
            async for message in socket:
                assert message.type is WSMsgType.TEXT
                asked = json.loads(message.data)
                context = asked["context_id"]
                if asked.get("cancel"):
                    self.cancelled.append(context)
                    if context in speaking and context not in deaf:
                        speaking[context].cancel()
                elif asked["transcript"]:
                    clause = Clause(asked["transcript"], asked, dict(http.headers))
                    fault = self._begin(clause)
                    if fault == "deaf":
                        deaf.add(context)
                    said = self._say(socket, clause, fault, http.transport)
                    speaking[context] = asyncio.create_task(said)
        finally:
            for task in speaking.values():
                task.cancel()
            await asyncio.gather(*speaking.values(), return_exceptions=True)
        return socket

    async def _say(
        self, socket: web.WebSocketResponse, clause: Clause, fault: str, transport: Any
    ) -> None:
        context = clause.request["context_id"]
        words = words_of(clause.text)
        pcm = beeps(len(words))
        try:
            if fault == "mute":
                pcm = b""
            if fault not in ("wordless", "mute"):
                timed = words[:-1] if fault == "untimed" else words
                starts = [at * STEP_SEC for at in range(len(timed))]
                times = {"words": timed, "start": starts, "end": starts}
                await self._send(socket, context, "timestamps", word_timestamps=times)
            for at in range(0, len(pcm), _PIECE_BYTES):
                if at >= len(pcm) // 2 and fault in ("cut", "close", "stall", "error"):
                    if fault == "cut":
                        transport.abort()
                    elif fault == "close":
                        await socket.close()
                    elif fault == "error":
                        await self._send(socket, context, "error", error="out of credit")
                    await asyncio.sleep(60)
                piece = base64.b64encode(pcm[at : at + _PIECE_BYTES]).decode()
                await self._send(socket, context, "chunk", data=piece)
                clause.sent_bytes += _PIECE_BYTES
                await asyncio.sleep(self.pace_sec)
            await self._send(socket, context, "done")
            clause.finished = True
        finally:
            clause.ended.set()

    async def _send(
        self, socket: web.WebSocketResponse, context: str, kind: str, **more: Any
    ) -> None:
        if not socket.closed:
            await socket.send_json({"type": kind, "context_id": context, **more})


class NeuphonicServer(_Server):
    """Sound without a word about what it belongs to or whether it is complete. Fault: cut."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = 0

    @property
    def url(self) -> str:
        return f"ws://{self.address}"

    def _route(self) -> web.RouteDef:
        return web.get("/speak/{language}", self._connection)

    async def _connection(self, http: web.Request) -> web.StreamResponse:
        self.connections += 1
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        speaking: list[asyncio.Task[None]] = []
        try:
            async for message in socket:
                text = json.loads(message.data)["text"].removesuffix("<STOP>").strip()
                if text:
                    clause = Clause(text, dict(http.query), dict(http.headers))
                    said = self._say(socket, clause, self._begin(clause), http.transport)
                    speaking.append(asyncio.create_task(said))
        finally:
            for task in speaking:
                task.cancel()
            await asyncio.gather(*speaking, return_exceptions=True)
        return socket

    async def _say(
        self, socket: web.WebSocketResponse, clause: Clause, fault: str, transport: Any
    ) -> None:
        pcm = beeps(len(words_of(clause.text)))
        try:
            for at in range(0, len(pcm), _PIECE_BYTES):
                if fault == "cut" and at >= len(pcm) // 2:
                    transport.abort()
                    return
                piece = base64.b64encode(pcm[at : at + _PIECE_BYTES]).decode()
                await socket.send_json({"data": {"audio": piece}})
                clause.sent_bytes += _PIECE_BYTES
                await asyncio.sleep(self.pace_sec)
            clause.finished = True
        finally:
            clause.ended.set()


def words_of(text: str) -> list[str]:
    return re.findall(r"[\u3400-\u9fff]|[\w'-]*[a-zA-Z]", text)


def beeps(count: int) -> bytes:
    """int16 mono at 24 kHz."""
    step, beep = round(STEP_SEC * RATE), np.arange(round(BEEP_SEC * RATE)) / RATE
    wave = np.zeros(count * step, np.int16)
    for at in range(0, len(wave), step):
        wave[at : at + len(beep)] = 16_000 * np.sin(2 * np.pi * 440 * beep)
    return wave.tobytes()
