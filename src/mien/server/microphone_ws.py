"""A microphone through a WebSocket: for networks that let nothing but HTTPS pass, and programs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from mien.media.intake import Intake, TooFast, keep_up
from mien.media.microphone import RATE, Sink
from mien.problems import Problem
from mien.server.sessions import Sessions
from mien.server.sockets import REPLACED, SESSION_ENDED, TOO_FAST, admitted, deny

router = APIRouter(prefix="/ws")

# Telephone to studio.
RATES = (8_000, 48_000)
# TCP delivers late what was lost at first; a page that is busy sends late.
SLACK_SEC = 0.2
# RFC 6455, 7.4.1: data of a kind that cannot be accepted.
UNSUPPORTED = 1003


class SocketMicrophone:
    """One sender of binary messages: int16 little-endian mono, cut anywhere, even within a sample.

    Text has no meaning here and ends the connection, as does sound that comes faster than real
    time. Whoever sends nothing is silent.
    """

    def __init__(self, socket: WebSocket, rate: int) -> None:
        self.on_connected: Callable[[], None] = lambda: None
        self.label = f"WebSocket {rate} Hz"
        self._socket = socket
        self._rate = rate
        self._odd = b""
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Ask ``run`` to end."""
        self._closed.set()

    async def run(self, sink: Sink) -> None:
        """Raises what ``sink`` raises."""
        self.on_connected()
        intake = Intake(self._rate, sink, SLACK_SEC)
        receiving = asyncio.create_task(self._receive(intake), name="microphone")
        receiving.add_done_callback(lambda done: self.close())
        try:
            await keep_up(intake, self._closed)
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])
        if not receiving.cancelled():
            receiving.result()

    async def _receive(self, intake: Intake) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            data = message.get("bytes")
            if data is None:
                return await self._refuse(UNSUPPORTED, "send binary messages: int16 mono")
            data = self._odd + data
            whole = len(data) // 2 * 2
            self._odd = data[whole:]
            pcm = np.frombuffer(data[:whole], "<i2").astype(np.int16, copy=False)
            try:
                if whole:
                    intake.put(pcm)
            except TooFast:
                return await self._refuse(TOO_FAST, "faster than real time")

    async def _refuse(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # they may be leaving as well
            await self._socket.close(code, reason)


@router.websocket("/{session}/microphone")
async def speak(socket: WebSocket, session: str, rate: str = str(RATE)) -> None:
    """Sound from now on; see :class:`SocketMicrophone`. rate: of the samples, Hz.

    It is listened to at once, in place of the microphone before.
    """
    if not await admitted(socket):
        return
    if not (re.fullmatch("[0-9]{4,5}", rate) and RATES[0] <= int(rate) <= RATES[1]):
        await deny(socket, _bad_rate())
        return
    await socket.accept()
    sessions: Sessions = socket.app.state.sessions
    try:
        await sessions.get(session).listen_to(SocketMicrophone(socket, int(rate)))
    except Problem as problem:  # said this way because a page cannot see a refusal's status
        code = REPLACED if problem.status == 409 else SESSION_ENDED
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(code, problem.code)


def _bad_rate() -> Problem:
    low, high = RATES
    return Problem(
        "bad_rate",
        f"The sound's rate must be a number from {low} to {high} (?rate=16000).",
        f"采样率应为 {low} 至 {high} 之间的整数（?rate=16000）。",
        status=422,
    )
