"""Watching a session through a WebSocket: for networks that let nothing but HTTPS pass."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from mien.media.fragments import FragmentStream, Text
from mien.media.program import Program
from mien.problems import Problem
from mien.server.leaving import leaves
from mien.server.sessions import Sessions
from mien.server.sockets import SESSION_ENDED, admitted

router = APIRouter(prefix="/ws")


class SocketViewer:
    """One reader of a session. ``run`` lasts as long as the connection and the session.

    The reader says ``{"got": COUNT, "sent": ANY}`` a few times a second, COUNT being the binary
    messages it has received, and is told ``{"type": "clock", "sent": ANY, "media": SECONDS}``:
    what is being made now. See :class:`FragmentStream` for what else it is sent.
    """

    def __init__(self, socket: WebSocket, cutout: bool = False, labelled: bool = False) -> None:
        self.on_connected: Callable[[], None] = lambda: None
        self._socket = socket
        self._stream = FragmentStream(self._send, cutout, leaves(socket) and not labelled)
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Ask ``run`` to end."""
        self._closed.set()

    async def run(self, program: Program) -> None:
        """Raises what ends the stream, but not that the reader has left."""
        tasks = [
            asyncio.create_task(self._stream.run(program), name="fragments"),
            asyncio.create_task(self._listen(), name="reader"),
            asyncio.create_task(self._closed.wait(), name="closing"),
            asyncio.create_task(self._welcome(), name="first fragment"),
        ]
        try:
            await asyncio.wait(tasks[:3], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if self._closed.is_set():
            with suppress(WebSocketDisconnect, RuntimeError):  # it may be leaving as well
                await self._socket.close(SESSION_ENDED, "no_such_session")
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not _left(outcome):
                raise outcome

    async def _welcome(self) -> None:
        await self._stream.begun()
        self.on_connected()

    async def _send(self, message: bytes | Text) -> None:
        try:
            if isinstance(message, bytes):
                await self._socket.send_bytes(message)
            else:
                await self._socket.send_text(json.dumps(message))
        except RuntimeError as error:  # the framework's word for a reader who has left
            raise WebSocketDisconnect from error

    async def _listen(self) -> None:
        while True:
            said = _report(await self._socket.receive_text())
            if said is None:
                continue
            self._stream.acknowledge(said[0])
            if self._stream.is_begun:
                media = round(self._stream.now, 4)
                await self._send({"type": "clock", "sent": said[1], "media": media})


def _report(text: str) -> tuple[int, float] | None:
    """COUNT and ANY of a reader's message; what makes no sense is not heard."""
    try:
        said = json.loads(text)
        count, sent = int(said["got"]), float(said.get("sent", 0))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError):
        return None
    return (count, sent) if math.isfinite(sent) else None


def _left(error: Exception) -> bool:
    """Whether this is how a reader's leaving looks; in a group if both tracks saw it."""
    if isinstance(error, ExceptionGroup):
        return all(_left(each) for each in error.exceptions)
    # KeyError: a binary message, which no reader of ours sends, has no text.
    return isinstance(error, WebSocketDisconnect | OSError | KeyError)


@router.websocket("/{session}")
async def watch(
    socket: WebSocket, session: str, cutout: bool = False, labelled: bool = False
) -> None:
    """Fragmented MP4 from the next key frame on; see :class:`SocketViewer`.

    cutout, labelled: as in ``whep.watch``.
    """
    if not await admitted(socket):
        return
    await socket.accept()
    sessions: Sessions = socket.app.state.sessions
    try:
        await sessions.get(session).attend(SocketViewer(socket, cutout, labelled))
    except Problem as problem:  # said this way because a page cannot see a refusal's status
        await socket.close(SESSION_ENDED, problem.code)
