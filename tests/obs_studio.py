"""OBS without a screen, alone with the program and a media server in a network of its own.

Run as ``unshare -n python tests/obs_studio.py FOLDER``: it writes there what OBS's programme shows
(``rest.png``, ``speaking-1.png`` …, RGB), its window (``window.png``) and what it heard
(``levels.json``: peaks of the source, 0 … 1). Only ``unshare -n`` keeps OBS's remote control, which
listens on all addresses, to this machine.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import websockets

from harness import listening, running_server
from mien.bench.rtmp_server import media_server

PROGRAMS = ("obs", "Xvfb", "ffmpeg", "unshare", "ip")
PORT = 4455
WIDTH, HEIGHT = 1280, 720
PATIENCE = 120.0
TEXT = "Good evening and welcome. You are watching me by way of a media server and OBS."
GLOBAL = f"""[General]
FirstRun=true
EnableAutoUpdates=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort={PORT}
AuthRequired=false
AlertsEnabled=false
"""
PROFILE = f"""[General]
Name=Untitled
[Video]
BaseCX={WIDTH}
BaseCY={HEIGHT}
OutputCX={WIDTH}
OutputCY={HEIGHT}
FPSType=0
FPSCommon=25 PAL
"""
VOLUME_METERS = 1 << 16


class Remote:
    """OBS by its remote control (obs-websocket 5)."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.peaks: list[float] = []

    @classmethod
    @asynccontextmanager
    async def connected(cls) -> AsyncIterator[Remote]:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    socket = await websockets.connect(
                        f"ws://127.0.0.1:{PORT}", max_size=None, ping_interval=None
                    )
                    break
                except OSError:
                    await asyncio.sleep(0.5)
        async with socket:
            remote = cls(socket)
            await remote._next(0)
            await remote._send(1, {"rpcVersion": 1, "eventSubscriptions": VOLUME_METERS})
            await remote._next(2)
            yield remote

    async def ask(self, request: str, **data: Any) -> dict[str, Any]:
        self._number += 1
        order = {"requestType": request, "requestId": str(self._number), "requestData": data}
        await self._send(6, order)
        answer = await self._next(7)
        if not answer["requestStatus"]["result"]:
            raise RuntimeError(f"{request}: {answer['requestStatus']}")
        return answer.get("responseData") or {}

    async def picture(self) -> bytes:
        """What the programme shows, as a PNG file."""
        shot = await self.ask("GetSourceScreenshot", sourceName="Scene", imageFormat="png")
        return base64.b64decode(shot["imageData"].partition(",")[2])

    async def _send(self, kind: int, data: dict[str, Any]) -> None:
        await self._socket.send(json.dumps({"op": kind, "d": data}))

    async def _next(self, kind: int) -> dict[str, Any]:
        """The next message of a kind; meters are read in passing."""
        while True:
            async with asyncio.timeout(PATIENCE):
                message = json.loads(await self._socket.recv())
            if message["op"] == kind:
                return dict(message["d"])
            inputs = message["d"].get("eventData", {}).get("inputs", [])
            self.peaks += [
                max((channel[1] for channel in meter["inputLevelsMul"]), default=0.0)
                for meter in inputs
                if meter["inputName"] == "mien"
            ]


@contextmanager
def running(*command: str, **environment: str) -> Iterator[None]:
    with Path(environment["HOME"], f"{command[0]}.log").open("w") as log:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def obs(home: Path) -> Iterator[str]:
    """OBS on a screen of its own; gives the screen's name."""
    settings = home / ".config" / "obs-studio"
    (settings / "basic" / "profiles" / "Untitled").mkdir(parents=True)
    (settings / "global.ini").write_text(GLOBAL)
    (settings / "basic" / "profiles" / "Untitled" / "basic.ini").write_text(PROFILE)
    screen = f":{os.getpid() % 10_000 + 100}"
    environment = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_RUNTIME_DIR": str(home),
        "DISPLAY": screen,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "QT_QPA_PLATFORM": "xcb",
    }
    flags = ("--multi", "--disable-updater", "--disable-shutdown-check")
    with running("Xvfb", screen, "-screen", "0", "1280x800x24", "-nolisten", "tcp", HOME=str(home)):
        wait_for(Path(f"/tmp/.X11-unix/X{screen[1:]}"))
        with running("obs", *flags, **environment):
            yield screen


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise RuntimeError(f"{path} does not come")


async def perform(folder: Path) -> None:
    """Raises RuntimeError for what OBS refuses, TimeoutError when it does not answer."""
    with (
        media_server() as media,
        running_server(
            folder,
            "--publish",
            f"{media.url}/mien",
            "--background",
            "#203040",
            environment={"MIEN_GREET": "false"},
        ) as server,
        obs(folder / "home") as screen,
    ):
        async with (
            Remote.connected() as remote,
            server.client() as client,
            listening(client, "live") as events,
        ):
            with contextlib.suppress(RuntimeError):  # there is one already
                await remote.ask("CreateScene", sceneName="Scene")
            await remote.ask("SetCurrentProgramScene", sceneName="Scene")
            source = {  # as in docs/obs.md
                "is_local_file": False,
                "input": f"{media.url}/mien",
                "buffering_mb": 0,
                "reconnect_delay_sec": 1,
                "hw_decode": False,
            }
            made = await remote.ask(
                "CreateInput",
                sceneName="Scene",
                inputName="mien",
                inputKind="ffmpeg_source",
                inputSettings=source,
            )
            await fill(remote, made["sceneItemId"])
            keep(folder / "rest.png", await remote.picture())
            remote.peaks.clear()
            await client.post("/api/v1/sessions/live/say", json={"text": TEXT})
            await events.first("clause", PATIENCE)
            said = time.monotonic()
            while max(remote.peaks, default=0.0) < 0.02:
                await remote.ask("GetStats")
            print(f"OBS hears {time.monotonic() - said:.2f} s later what is said", flush=True)
            for number in range(1, 7):
                keep(folder / f"speaking-{number}.png", await remote.picture())
            grab(screen, folder / "window.png")
            keep(folder / "levels.json", json.dumps(remote.peaks).encode())


async def fill(remote: Remote, item: int) -> None:
    """Wait until the source has a picture, and give it the whole height."""
    async with asyncio.timeout(PATIENCE):
        while True:
            place = await remote.ask("GetSceneItemTransform", sceneName="Scene", sceneItemId=item)
            height = place["sceneItemTransform"]["sourceHeight"]
            if height:
                break
            await asyncio.sleep(0.2)
    scale = HEIGHT / height
    width = place["sceneItemTransform"]["sourceWidth"] * scale
    transform = {"scaleX": scale, "scaleY": scale, "positionX": (WIDTH - width) / 2}
    await remote.ask(
        "SetSceneItemTransform",
        sceneName="Scene",
        sceneItemId=item,
        sceneItemTransform=transform,
    )


def keep(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def grab(screen: str, path: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-f", "x11grab", "-video_size", "1280x800"]
    command += ["-i", screen, "-frames:v", "1", "-y", str(path)]
    subprocess.run(command, check=True, timeout=60)


def missing() -> list[str]:
    """What would have to be installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    asyncio.run(perform(Path(sys.argv[1])))
