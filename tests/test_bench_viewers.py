"""The viewers of ``mien bench viewers``: real ones, that see what there is and cost little."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mien.bench.viewers import Span, _figures, _shares, crowd
from mien.media.h264 import VIDEO_STEP
from mien.media.program import Program
from mien.media.webrtc_viewer import WebRtcViewer
from ticking import FlashBeep


@asynccontextmanager
async def watched_program() -> AsyncIterator[str]:
    """A program at ``/whep`` of the address that is given."""
    async with asyncio.TaskGroup() as tasks:
        with ThreadPoolExecutor(2) as threads, socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            program = Program(FlashBeep((320, 240)), (320, 240), threads)
            viewers: list[WebRtcViewer] = []

            async def watch(request: Request) -> Response:
                viewers.append(viewer := WebRtcViewer((await request.body()).decode()))
                tasks.create_task(viewer.run(program))
                return Response(await viewer.answer, 201, media_type="application/sdp")

            app = Starlette(routes=[Route("/whep", watch, methods=["POST"])])
            config = uvicorn.Config(app, log_level="warning", lifespan="off")
            server = uvicorn.Server(config)
            running = tasks.create_task(program.run())
            serving = tasks.create_task(server.serve([listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                await serving
                for viewer in viewers:
                    viewer.close()
                running.cancel()


async def test_viewers_count_each_picture() -> None:
    async with watched_program() as url, crowd(url, "/whep", 2) as here:
        await asyncio.sleep(0.5)
        async with asyncio.timeout(60):
            seen = await here.leave()
    for viewer in seen:
        assert viewer["broken"] == 0 and viewer["lost"] == 0
        assert viewer["join_ms"] > viewer["first_picture_ms"] > 0
        _, stamps, packets = zip(*viewer["pictures"], strict=True)
        assert len(stamps) > 5
        steps = {(b - a) % (1 << 32) for a, b in pairwise(stamps)}
        assert all(step % VIDEO_STEP == 0 for step in steps)
        assert packets[-1] - packets[0] > len(stamps)  # sound as well


def test_figures_are_of_the_time_in_which_all_watched() -> None:
    at = [n / 25 for n in range(501)]  # 20 s, three packets to a picture
    viewer = {
        "pictures": [[t, 3600 * n, 3 * n] for n, t in enumerate(at)],
        "join_ms": 200.0,
        "first_picture_ms": 40.0,
        "lost": 0,
        "broken": 0,
    }
    one, all_ = Span(1.0, 0, 0.02, 5.02), Span(5.0, 250, 5.02, 15.02)
    figures = _figures([viewer] * 11, all_, [one], 100.0)
    assert (figures["cpu_percent_one"], figures["cpu_percent"]) == (20.0, 50.0)
    assert (figures["cpu_ms_per_picture_one"], figures["cpu_ms_per_picture"]) == (8.0, 20.0)
    assert figures["cpu_percent_per_viewer"] == 3.0 and figures["cpu_ratio"] == 2.5
    assert figures["cpu_us_per_packet"] == 400.0 and figures["packets_per_picture"] == 3.0
    assert figures["encoded_per_sec"] == 25.0 and figures["fps_min"] == 25.0
    assert [_shares(n) for n in (1, 2, 49)] == [[1], [1, 1], [25, 24]]
