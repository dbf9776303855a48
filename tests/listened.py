"""What is heard: by a sink of its own, or by sessions of the application in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np
import uvicorn
from fastapi import FastAPI

from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.server.app import create_app
from mien.server.sessions import Session
from mien.server.uvicorn_config import uvicorn_config
from mien.services import Services
from tones import heard

LOUD = 1_000  # int16; tones are above, what codecs make of silence is below


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - several things are waited for
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within a minute: {what}") from None


@dataclass
class Heard:
    """A sink, and the clock of what hands sound to it."""

    now: float = 100.0
    pieces: list[Pcm] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    @property
    def pcm(self) -> Pcm:
        return np.concatenate([np.zeros(0, np.int16), *self.pieces])

    @property
    def sec(self) -> float:
        return len(self.pcm) / RATE


@dataclass
class Ear:
    """What a session hears, in place of its listener.

    pieces: (monotonic time, int16[n] mono 16 kHz). labels: of its microphones, as they change.
    """

    session: Session
    pieces: list[tuple[float, Pcm]] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session.microphones.on_sound = self._hear
        self.session.microphones.on_change = self.labels.append

    def _hear(self, pcm: Pcm) -> None:
        self.pieces.append((time.monotonic(), pcm))

    @property
    def id(self) -> str:
        return self.session.id

    @property
    def sound(self) -> Pcm:
        return np.concatenate([np.zeros(0, np.int16), *(pcm for _, pcm in self.pieces)])

    def onsets(self) -> list[int]:
        """Positions at which sound begins after a fifth of a second of silence or more."""
        loud = np.flatnonzero(np.abs(self.sound.astype(int)) > LOUD)
        return [int(at) for at in loud[np.diff(loud, prepend=-RATE) > RATE // 5]]

    def words(self) -> list[list[int]]:
        """What ``tones.heard`` makes of the sound from each onset to the next."""
        return [heard(part, RATE) for part in np.split(self.sound, self.onsets())[1:]]


@dataclass
class Site:
    app: FastAPI
    url: str
    http: httpx.AsyncClient

    async def ear(self) -> Ear:
        """A new session's."""
        answer = await self.http.post("/api/v1/sessions", json={"language": "en"})
        assert answer.status_code == 201, answer.text
        return Ear(self.app.state.sessions.get(answer.json()["id"]))


@asynccontextmanager
async def listening_site(services: Services, token: str | None = None) -> AsyncIterator[Site]:
    settings = services.settings.model_copy(update={"token": token})
    app = create_app(settings, services)
    server = uvicorn.Server(uvicorn_config(app))
    server.config.port = 0
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the server")
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
            yield Site(app, url, http)
    finally:
        server.should_exit = True
        await serving
