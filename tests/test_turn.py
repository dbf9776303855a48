"""TURN: passwords that expire, and a real relay (coturn) where one is installed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import av
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from mien.config import ConfigError, load_settings
from mien.media.program import Program
from mien.media.turn import Turn
from mien.media.webrtc import WebRtcSettings
from mien.media.webrtc_viewer import WebRtcViewer
from ticking import FlashBeep

SECRET = "shared with the relay"
COTURN = shutil.which("turnserver")
EXAMPLE = Path(__file__).parent.parent / "deploy" / "turnserver.conf"


def test_passwords_are_made_as_the_turn_rest_api_says() -> None:
    server = Turn(["turn:turn.example:3478"], SECRET, ttl_sec=600).ice_server(now=1_700_000_000)
    assert server.username == "1700000600:mien"
    digest = hmac.new(SECRET.encode(), b"1700000600:mien", hashlib.sha1).digest()
    assert server.credential == base64.b64encode(digest).decode()
    assert SECRET not in repr(Turn(["turn:turn.example:3478"], SECRET))


def test_settings_want_both_or_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mien.toml"
    file.write_text('[webrtc.turn]\nurls = ["turn:turn.example:3478?transport=udp"]\n')
    with pytest.raises(ConfigError, match="urls and secret"):
        load_settings(file)
    monkeypatch.setenv("MIEN_WEBRTC__TURN__SECRET", SECRET)
    settings = load_settings(file)
    assert settings.webrtc.turn.secret == SECRET and SECRET not in repr(settings)
    file.write_text('[webrtc.turn]\nurls = ["https://turn.example"]\n')
    with pytest.raises(ConfigError, match="urls"):
        load_settings(file)


@pytest.mark.skipif(COTURN is None, reason="needs coturn (turnserver) on the PATH")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_servers_pictures_come_through_a_relay(tmp_path: Path, transport: str) -> None:
    with relay(tmp_path) as port:
        url = f"turn:127.0.0.1:{port}?transport={transport}"
        with taken_port() as taken:
            only = WebRtcSettings((Turn([url], SECRET).ice_server(),), port_range=(taken, taken))
            async with watching(only) as (answer, pictures):
                assert "typ relay" in answer and "typ host" not in answer
                async with asyncio.timeout(30):
                    first, second = await pictures.get(), await pictures.get()
                assert first.width == 320 and second.pts > first.pts


@pytest.mark.skipif(COTURN is None, reason="needs coturn (turnserver) on the PATH")
async def test_a_password_that_has_expired_gets_no_relay(tmp_path: Path) -> None:
    with relay(tmp_path) as port:
        late = Turn([f"turn:127.0.0.1:{port}?transport=udp"], SECRET, ttl_sec=-60)
        async with watching(WebRtcSettings((late.ice_server(),))) as (answer, _):
            assert "typ relay" not in answer and "typ host" in answer


@contextmanager
def relay(folder: Path) -> Iterator[int]:
    """coturn as deploy/turnserver.conf has it, but on loopback."""
    port = free_port()
    lines = [
        line
        for line in EXAMPLE.read_text().splitlines()
        if not line.startswith(("denied-peer-ip", "listening-port", "#"))
    ]
    own = [f"listening-port={port}", "listening-ip=127.0.0.1", "relay-ip=127.0.0.1"]
    own += ["allow-loopback-peers", "no-tls", "no-dtls", f"pidfile={folder / 'pid'}"]
    file = folder / "turnserver.conf"
    file.write_text("\n".join([*lines, *own, f"static-auth-secret={SECRET}", ""]))
    log = (folder / "turnserver.log").open("w+")
    assert COTURN is not None
    process = subprocess.Popen([COTURN, "-c", str(file)], stdout=log, stderr=log, cwd=folder)
    try:
        for _ in range(400):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, (folder / "turnserver.log").read_text()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@contextmanager
def taken_port() -> Iterator[int]:
    """A UDP port that nobody can have, on any address."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as holder:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        holder.bind(("::", 0))
        yield int(holder.getsockname()[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def watching(
    settings: WebRtcSettings,
) -> AsyncIterator[tuple[str, asyncio.Queue[av.VideoFrame]]]:
    """A viewer: the server's answer, and pictures as they come."""
    source = FlashBeep()
    pictures: asyncio.Queue[av.VideoFrame] = asyncio.Queue()
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def watch(track: MediaStreamTrack) -> None:
        while track.kind == "video":
            frame = await track.recv()
            assert isinstance(frame, av.VideoFrame)
            pictures.put_nowait(frame)

    tasks: list[asyncio.Task[None]] = []
    connection.on("track", lambda track: tasks.append(asyncio.create_task(watch(track))))
    with ThreadPoolExecutor(2) as executor:
        program = Program(source, source.size, executor)
        tasks.append(asyncio.create_task(program.run()))
        for kind in ("audio", "video"):
            connection.addTransceiver(kind, direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        viewer = WebRtcViewer(connection.localDescription.sdp, settings)
        tasks.append(asyncio.create_task(viewer.run(program)))
        try:
            answer = await asyncio.wait_for(viewer.answer, 30)
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            yield answer, pictures
        finally:
            viewer.close()
            await connection.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
