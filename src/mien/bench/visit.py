"""A visitor: opens a session, watches it, talks to it and listens to its events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from mien.bench.client import Viewer
from mien.language import Language

# Connecting is ICE + DTLS on loopback: 0.3 s, several seconds on a machine that is busy.
CONNECT_SEC = 30.0

# Questions whose answers take several seconds to say, in turns in both languages.
QUESTIONS = (
    "你能做什么？",
    "What is mien?",
    "你是谁？",
    "How do you keep lips in sync?",
    "mien 是什么？",
    "What can you do?",
)


class VisitError(RuntimeError):
    """The server did not do what a visit needs; the message says what."""


class Visit:
    """One session as its visitor sees it.

    events: (``time.monotonic()`` of arrival, message) of everything that happened.
    """

    def __init__(self, http: httpx.AsyncClient, session: dict[str, str], viewer: Viewer) -> None:
        self.viewer = viewer
        self.events: list[tuple[float, dict[str, Any]]] = []
        self._http = http
        self._id = session["id"]
        self._events_url = session["events"]
        self._news = asyncio.Event()
        self._asked = 0

    @property
    def whep(self) -> str:
        """Where the session is watched: a path of the server."""
        return f"/whep/{self._id}"

    @property
    def whip(self) -> str:
        """Where the session takes a microphone: a path of the server."""
        return f"/whip/{self._id}"

    @property
    def ears(self) -> dict[str, Any]:
        """What the session listens with, as it last said; empty before its first word."""
        said = (m if m["type"] == "ears" else m.get("ears") for _, m in reversed(self.events))
        return next((ears for ears in said if ears), {})

    @property
    def url(self) -> str:
        """The server's."""
        return str(self._http.base_url).rstrip("/")

    @property
    def _path(self) -> str:
        return f"/api/v1/sessions/{self._id}"

    async def chat(self, text: str) -> tuple[float, int]:
        """Send ``text``. Returns (monotonic time of sending, number of the turn)."""
        sent = time.monotonic()
        response = await self._http.post(f"{self._path}/chat", json={"text": text})
        response.raise_for_status()
        return sent, int(response.json()["turn"])

    async def say(self, text: str) -> tuple[float, int]:
        """Have ``text`` said word for word. Returns as :meth:`chat`."""
        sent = time.monotonic()
        response = await self._http.post(f"{self._path}/say", json={"text": text})
        response.raise_for_status()
        return sent, int(response.json()["turn"])

    async def ask(self) -> tuple[float, int]:
        """Send the next of :data:`QUESTIONS`."""
        question = QUESTIONS[self._asked % len(QUESTIONS)]
        self._asked += 1
        return await self.chat(question)

    async def interrupt(self) -> float:
        """Returns the monotonic time of sending."""
        sent = time.monotonic()
        (await self._http.post(f"{self._path}/interrupt")).raise_for_status()
        return sent

    async def state(self) -> str:
        """What the server says it is doing: idle, thinking, speaking, listening."""
        return str((await self._http.get(self._path)).raise_for_status().json()["state"])

    async def event(self, kind: str, turn: int, within: float) -> dict[str, Any] | None:
        """The event of that type and turn, past or to come; None when it stays away."""
        deadline = time.monotonic() + within
        while True:
            self._news.clear()
            for _, message in self.events:
                if message.get("type") == kind and message.get("turn") == turn:
                    return message
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return None

    async def publish(self, url: str, key: str) -> str:
        """Put the session on the air there. Returns the output's id; its life is told in events."""
        response = await self._http.post(f"{self._path}/outputs", json={"url": url, "key": key})
        return str(response.raise_for_status().json()["id"])

    async def keep_talking(self) -> None:
        """Ask one question after another, each when the last answer has been heard. Endless."""
        while True:
            _, turn = await self.ask()
            if await self.event("turn", turn, 60) is None:
                raise VisitError("an answer did not come to its end within a minute")

    async def _listen(self) -> None:
        async with self._http.stream("GET", self._events_url, timeout=None) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    self.events.append((time.monotonic(), json.loads(line[5:])))
                    self._news.set()


@asynccontextmanager
async def visiting(
    url: str, *, decode: bool = True, pictures: int = 5, language: Language | None = None
) -> AsyncIterator[Visit]:
    """Open a session at ``url``, watch it, and close it in the end.

    decode: see :class:`Viewer`. pictures: so many have arrived before the visit begins; with 0
        the visitor only talks and listens to events, and others may watch. language: of the
        session; None for the server's.

    Raises:
        VisitError: when no picture comes; httpx.HTTPError when the server refuses.
    """
    async with httpx.AsyncClient(base_url=url, timeout=CONNECT_SEC, trust_env=False) as http:
        order = {} if language is None else {"language": language}
        session = (await http.post("/api/v1/sessions", json=order)).raise_for_status().json()
        viewer = Viewer(decode)
        visit = Visit(http, session, viewer)
        listening = asyncio.create_task(visit._listen(), name="events")
        try:
            if pictures:
                await _watch(http, session["whep"], viewer)
                await _wait_for_pictures(viewer, pictures)
            yield visit
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await viewer.close()
            await http.delete(f"/api/v1/sessions/{session['id']}")


async def _watch(http: httpx.AsyncClient, whep: str, viewer: Viewer) -> None:
    sdp = {"Content-Type": "application/sdp"}
    answer = await http.post(whep, content=await viewer.offer(), headers=sdp)
    await viewer.accept(answer.raise_for_status().text)


async def _wait_for_pictures(viewer: Viewer, count: int) -> None:
    deadline = time.monotonic() + CONNECT_SEC
    while len(viewer.picture_times) < count:
        if time.monotonic() > deadline:
            raise VisitError(
                f"{len(viewer.picture_times)} pictures arrived within {CONNECT_SEC:.0f} s of "
                f"connecting, expected {count}"
            )
        await asyncio.sleep(0.01)


async def wait_for_reports(viewer: Viewer, count: int = 2, within: float = 20.0) -> None:
    """Until each stream has ``count`` sender reports (one comes every 0.5–1.5 s).

    Raises:
        VisitError: when they do not come.
    """
    deadline = time.monotonic() + within
    while min(viewer.sound_clock.reports, viewer.picture_clock.reports) < count:
        if time.monotonic() > deadline:
            raise VisitError("the server sent no RTCP sender reports")
        await asyncio.sleep(0.05)
