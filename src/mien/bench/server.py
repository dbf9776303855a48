"""A real server in a process of its own, so that measuring does not disturb what it measures.

``python -m mien.bench.server`` reads one line of JSON from its standard input (which avatar kit,
which settings), writes one with its address, and serves until its standard input closes: it can
neither outlive the process that started it nor be forgotten by it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import psutil  # type: ignore[import-untyped]
import uvicorn
from fastapi import FastAPI

from mien.config import Settings

Kit = Literal["product", "marker"]

# Importing everything takes 2–4 s; on a machine that is busy, several times that.
START_SEC = 90
STOP_SEC = 20


class ServerDied(RuntimeError):
    """The server did not start or ended early; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at ``url``."""

    url: str
    pid: int

    def cpu_sec(self) -> float:
        """CPU time used so far by the server and its children (the voice's process), in s."""
        process = psutil.Process(self.pid)
        total = 0.0
        for one in (process, *process.children(recursive=True)):
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def rss_mb(self) -> float:
        """Resident memory of the server itself, in MB (10⁶ bytes)."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


@contextmanager
def running_server(kit: Kit, **settings: Any) -> Iterator[Running]:
    """Run a server on a free loopback port while the context lasts.

    kit: "product" for the avatar, voice and brain that ``settings`` name; "marker" for the
        measuring kit in place of avatar, lip sync and voice.
    settings: of :class:`mien.config.Settings`; what is not given has its default. Neither
        configuration file nor environment is read: figures must compare between machines.

    Raises:
        ServerDied: with the end of its log.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mien.bench.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        )
        assert process.stdin is not None
        try:
            line = _first_line(process, json.dumps({"kit": kit, "settings": settings}))
            if line is None:
                raise ServerDied(f"the server did not start: {_tail(log)}")
            ready = json.loads(line)
            yield Running(f"http://127.0.0.1:{ready['port']}", process.pid)
            if process.poll() is not None:
                raise ServerDied(f"the server ended while it was measured: {_tail(log)}")
        finally:
            _stop(process)


def _first_line(process: subprocess.Popen[str], order: str) -> str | None:
    """Give the order and wait for the address; None when the process ends or hangs first."""
    assert process.stdin is not None and process.stdout is not None
    timer = threading.Timer(START_SEC, process.kill)
    timer.start()
    try:
        process.stdin.write(order + "\n")
        process.stdin.flush()
        return process.stdout.readline() or None
    except BrokenPipeError:
        return None
    finally:
        timer.cancel()
        if process.poll() is None:
            timer.join(0)


def _stop(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
    try:
        process.wait(STOP_SEC)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Any) -> str:
    """What the server said last; of a traceback, the line that tells what is wrong."""
    log.seek(0)
    lines = [line for line in log.read().splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    if errors:
        return str(errors[-1].partition(": ")[2])
    return "\n".join(lines[-20:]) or "(it said nothing)"


# -- inside the process -----------------------------------------------------------------


def _install_markers() -> None:
    from mien import services
    from mien.bench.markers import MarkerAvatar, MarkerLipSync, MarkerVoice

    services.VOICES["marker"] = MarkerVoice
    services.AVATARS["marker"] = lambda: (MarkerAvatar(), MarkerLipSync())


def _app(kit: Kit, given: dict[str, Any]) -> FastAPI:
    from mien.server.app import create_app

    if kit == "marker":
        _install_markers()
        given = {"avatar": "marker", "voice": "marker", **given}
    app = create_app(Settings.model_validate({"greet": False, **given}))

    @app.get("/bench/counts")
    async def counts() -> dict[str, int]:
        """What could leak, after a collection."""
        gc.collect()
        process = psutil.Process()
        return {
            "rss": process.memory_info().rss,
            "threads": process.num_threads(),
            "fds": process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
            "tasks": len(asyncio.all_tasks()),
            "children": len(process.children(recursive=True)),
            "sessions": len(app.state.sessions),
        }

    @app.get("/bench/late")
    async def late() -> dict[str, int]:
        """Pictures that were not ready when their tick was due, over all open sessions."""
        performers = [s.conversation.performer for s in app.state.sessions.all()]
        return {"late_pictures": sum(p.late_pictures for p in performers)}

    return app


async def _serve(kit: Kit, given: dict[str, Any]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        # As ``mien run`` does it.
        config = uvicorn.Config(
            _app(kit, given),
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        loop = asyncio.get_running_loop()
        _watch_parent(loop, server)
        serving = loop.create_task(server.serve(sockets=[sock]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - no event to await
            await asyncio.sleep(0.02)
        if server.started:
            gc.collect()
            gc.freeze()
            print(json.dumps({"port": sock.getsockname()[1]}), flush=True)
        with suppress(SystemExit):  # how uvicorn leaves when the lifespan fails; it logged why
            await serving


def _watch_parent(loop: asyncio.AbstractEventLoop, server: uvicorn.Server) -> None:
    """End when standard input does; a thread, because a pipe cannot be awaited everywhere."""

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(setattr, server, "should_exit", True)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(_serve(order["kit"], order["settings"]))


if __name__ == "__main__":
    main()
