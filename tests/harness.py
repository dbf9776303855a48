"""A real server in its own process, and a WebRTC viewer to watch it with."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

LOUD = 300  # int16; espeak's quietest vowels are above, Opus' noise floor is below


@dataclass
class Server:
    """A running ``mien run``."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def client(self, **kwargs: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=60, **kwargs)


@contextmanager
def running_server(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """``mien run`` on a free port; killed if it does not end when told to."""
    log = folder / "server.log"
    env = {k: v for k, v in os.environ.items() if not k.startswith("MIEN_")}
    env |= {"HOME": str(folder), "PYTHONUNBUFFERED": "1", "COLUMNS": "300"}
    env |= environment or {}
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "mien", "run", "--port", "0", *arguments],
            stderr=sink,
            stdout=sink,
            text=True,
            env=env,
            cwd=folder,
        )
    try:
        yield Server(_address(process, log), process, log)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := re.search(r"(http://\S+?)/(?:\?token=\S+)?\s", log.read_text()):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


@dataclass
class Viewer:
    """What a WebRTC client without a jitter buffer sees and hears."""

    session: str
    connection: RTCPeerConnection
    location: str
    pictures: list[tuple[float, np.ndarray]] = field(default_factory=list)  # (time, RGB)
    sounds: list[tuple[float, np.ndarray]] = field(default_factory=list)  # (time, int16)
    keep: int = 400

    async def watch(self, track: MediaStreamTrack) -> None:
        kept: list[Any] = self.pictures if track.kind == "video" else self.sounds
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, av.VideoFrame):
                kept.append((time.monotonic(), frame.to_ndarray(format="rgb24")))
            elif isinstance(frame, av.AudioFrame):
                kept.append((time.monotonic(), frame.to_ndarray().reshape(-1)[::2].copy()))
            del kept[: -self.keep]

    def loud_times(self, since: float = 0.0) -> list[float]:
        return [t for t, pcm in self.sounds if t >= since and np.abs(pcm).max() > LOUD]

    def sound(self, since: float = 0.0) -> np.ndarray:
        """int16[n] mono 48 kHz received since then."""
        parts = [pcm for t, pcm in self.sounds if t >= since]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient,
    session: str,
    headers: dict[str, str] | None = None,
    kinds: tuple[str, ...] = ("audio", "video"),
) -> AsyncIterator[Viewer]:
    """Connect as a viewer of a session by WHEP and leave again."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    viewer = Viewer(session, connection, "")
    tasks: set[asyncio.Task[None]] = set()
    connection.on("track", lambda track: tasks.add(asyncio.create_task(viewer.watch(track))))
    for kind in kinds:
        connection.addTransceiver(kind, direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    answer = await client.post(
        f"/whep/{session}",
        content=connection.localDescription.sdp,
        headers={"content-type": "application/sdp", **(headers or {})},
    )
    assert answer.status_code == 201, answer.text
    viewer.location = answer.headers["location"]
    await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    try:
        await until(lambda: bool(viewer.pictures and viewer.sounds), "media from the server")
        yield viewer
    finally:
        await client.delete(viewer.location)
        await connection.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Events:
    """Messages of a session's event stream, as they come."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def first(self, kind: str, seconds: float = 90, **fields: Any) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [m for m in self.of(kind) if all(m.get(k) == v for k, v in fields.items())]

        await until(lambda: bool(found()), f"event {kind} {fields}", seconds)
        return found()[0]


@asynccontextmanager
async def listening(client: httpx.AsyncClient, session: str) -> AsyncIterator[Events]:
    """Follow a session's events."""
    events = Events()

    async def follow() -> None:
        async with client.stream("GET", f"/api/v1/sessions/{session}/events") as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    events.messages.append(json.loads(line[5:]))

    task = asyncio.create_task(follow())
    try:
        await events.first("hello")
        yield events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def new_session(client: httpx.AsyncClient, language: str = "en") -> str:
    response = await client.post("/api/v1/sessions", json={"language": language})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def until(condition: Any, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)
