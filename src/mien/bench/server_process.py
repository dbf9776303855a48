"""The process that is measured: ``python -m mien.bench.server_process``.

Reads one line of JSON from standard input (which kit, which settings), writes one with its port,
and serves until standard input closes: it can neither outlive the process that started it nor
be forgotten by it. See :mod:`mien.bench.server`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
import threading
from typing import Any

import psutil  # type: ignore[import-untyped]
import uvicorn
from fastapi import FastAPI

from mien import services as product
from mien.bench.server import Kit
from mien.config import Settings
from mien.server.app import create_app
from mien.server.uvicorn_config import uvicorn_config
from mien.services import Services, open_services
from mien.trace import Trace
from mien.voices import SERVICES, Service


def _install_markers() -> None:
    from mien.bench.markers import MarkerAvatar, MarkerLipSync

    SERVICES["marker"] = Service("mien.bench.markers", "Marker", "beeps", "蜂鸣", plain=True)
    product.AVATARS["marker"] = lambda: (MarkerAvatar(), MarkerLipSync())


def _settings(kit: Kit, given: dict[str, Any]) -> Settings:
    if kit == "marker":
        _install_markers()
        given = {"avatar": "marker", "voice": "marker", **given}
    return Settings.model_validate({"greet": False, **given})


def _app(settings: Settings, services: Services) -> FastAPI:
    app = create_app(settings, services)

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

    traces: list[Trace] = []
    metrics = app.state.metrics.trace

    def on_trace(trace: Trace) -> None:
        traces.append(trace)
        metrics(trace)

    app.state.metrics.trace = on_trace

    @app.get("/bench/traces")
    async def all_traces() -> list[dict[str, Any]]:
        """Of every answer so far; in monotonic seconds, which are one clock on a machine."""
        return [{"stamps": trace.stamps, "speculated": trace.speculated} for trace in traces]

    @app.get("/bench/late")
    async def late() -> dict[str, int]:
        """Pictures that were not ready when their tick was due, over all open sessions."""
        performers = [s.conversation.performer for s in app.state.sessions.all()]
        return {"late_pictures": sum(p.late_pictures for p in performers)}

    return app


async def _serve(settings: Settings) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        async with open_services(settings) as services:
            server = uvicorn.Server(uvicorn_config(_app(settings, services)))
            loop = asyncio.get_running_loop()
            _watch_parent(loop, server)
            serving = loop.create_task(server.serve(sockets=[sock]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - no event to await
                await asyncio.sleep(0.02)
            await services.warming  # a voice that is still loading is not what is measured
            if server.started:
                gc.collect()
                gc.freeze()
                print(json.dumps({"port": sock.getsockname()[1]}), flush=True)
            await serving


def _watch_parent(loop: asyncio.AbstractEventLoop, server: uvicorn.Server) -> None:
    """End when standard input does; a thread, because a pipe cannot be awaited everywhere."""

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(setattr, server, "should_exit", True)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    asyncio.run(_serve(_settings(order["kit"], order["settings"])))


if __name__ == "__main__":
    main()
