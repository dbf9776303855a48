"""A WHIP server (RFC 9725) of real parts: uvicorn, aiortc; it decodes what it is sent."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import av
import numpy as np
import uvicorn
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TOKEN = "a-token-nobody-may-see"


@dataclass
class Publisher:
    """One who publishes, and what came from them."""

    connection: RTCPeerConnection
    offer: str
    pictures: list[np.ndarray] = field(default_factory=list)  # RGB
    sounds: int = 0
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    def read(self, track: MediaStreamTrack) -> None:
        self.readers.append(asyncio.create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.pictures.append(frame.to_ndarray(format="rgb24"))
                else:
                    self.sounds += 1

    async def aclose(self) -> None:
        await self.connection.close()
        for reader in self.readers:
            reader.cancel()
        await asyncio.gather(*self.readers, return_exceptions=True)


@dataclass
class WhipServer:
    """url: of the endpoint. asked: requests as they came. before: may answer in its place."""

    url: str
    token: str | None
    location: str = "/sessions/{id}"
    links: tuple[str, ...] = ()
    change_offer: Callable[[str], str] = lambda sdp: sdp
    change_answer: Callable[[str], str] = lambda sdp: sdp
    before: Callable[[Request], Response | None] = lambda request: None
    asked: list[Request] = field(default_factory=list)
    publishers: dict[str, Publisher] = field(default_factory=dict)
    gone: list[Publisher] = field(default_factory=list)

    async def publish(self, request: Request) -> Response:
        self.asked.append(request)
        offer = (await request.body()).decode()
        if (reply := self.before(request)) is not None:
            return reply
        if not self._allowed(request):
            return Response(f"bad token: {request.headers.get('authorization')}", 401)
        if request.headers.get("content-type") != "application/sdp":
            return Response(status_code=415)
        publisher = Publisher(_connection(), offer)
        publisher.connection.on("track", publisher.read)
        offer = self.change_offer(offer)
        await publisher.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await publisher.connection.setLocalDescription(await publisher.connection.createAnswer())
        key = str(len(self.publishers) + len(self.gone))
        self.publishers[key] = publisher
        location = self.location.format(id=key)
        response = Response(
            self.change_answer(publisher.connection.localDescription.sdp),
            201,
            {"Location": location, "ETag": f'"{key}"'},
            "application/sdp",
        )
        for link in self.links:
            response.headers.append("Link", link)
        return response

    async def end(self, request: Request) -> Response:
        self.asked.append(request)
        if not self._allowed(request):
            return Response(status_code=401)
        publisher = self.publishers.pop(request.path_params["id"], None)
        if publisher is None:
            return Response(status_code=404)
        self.gone.append(publisher)
        await publisher.aclose()
        return Response()

    def _allowed(self, request: Request) -> bool:
        return self.token is None or request.headers.get("authorization") == f"Bearer {self.token}"


def _connection() -> RTCPeerConnection:
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    return RTCPeerConnection(configuration)


def unreachable(sdp: str) -> str:
    """A description by somebody whose address is of some other network."""
    return re.sub(r"(a=candidate:\S+ \d \S+ \d+) \S+ \d+", r"\1 192.0.2.1 9", sdp)


@asynccontextmanager
async def whip_server(token: str | None = TOKEN) -> AsyncIterator[WhipServer]:
    """In this event loop, on a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = WhipServer(f"http://127.0.0.1:{listener.getsockname()[1]}/whip/live", token)
        routes = [
            Route("/whip/live", server.publish, methods=["POST"]),
            Route("/sessions/{id}", server.end, methods=["DELETE"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), log_level="warning", access_log=False, lifespan="off"
        )
        http = uvicorn.Server(config)
        serving = asyncio.create_task(http.serve([listener]))
        while not http.started:  # noqa: ASYNC110 - a flag, no event
            await asyncio.sleep(0.01)
        try:
            yield server
        finally:
            http.should_exit = True
            await serving
            for publisher in server.publishers.values():
                await publisher.aclose()
