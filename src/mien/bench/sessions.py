"""``mien bench sessions``: how many conversations one process carries at full rate."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import numpy as np

from mien.bench.figures import frame_rates, rounded
from mien.bench.server import running_server
from mien.bench.visit import Visit, visiting
from mien.media.h264 import VIDEO_STEP
from mien.media.tick import FPS

# Everything that is loaded or grows at first use has done so after this.
SETTLE_SEC = 3.0


async def run_sessions(
    count: int, seconds: float, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """``count`` conversations that all talk at once for ``seconds``. Progress is 0…1.

    fps_p5: pictures per second at the viewers, the 5th percentile over stretches of one second.
    late_ticks: ticks whose picture was not drawn in time (the last one repeats) or not encoded in
    time (none is sent). cpu_percent: of one core, server and voice process. cpu_ms_per_tick: the
    same, in ms per tick of one conversation. rss_mb: of the server, in 10⁶ bytes.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    limit = {"max": count + 1}
    with running_server("product", sessions=limit, **settings) as server:
        async with AsyncExitStack() as stack:
            visits = [
                await stack.enter_async_context(visiting(server.url, decode=False))
                for _ in range(count)
            ]
            talking = [asyncio.create_task(visit.keep_talking()) for visit in visits]
            try:
                await _sleep_while_talking(talking, SETTLE_SEC)
                late, cpu, begin = await _late(server.url), server.cpu_sec(), time.monotonic()
                peak = 0.0
                for step in range(50):
                    on_progress(step / 50)
                    await _sleep_while_talking(talking, seconds / 50)
                    peak = max(peak, server.rss_mb())
                end, cpu = time.monotonic(), server.cpu_sec() - cpu
                late = await _late(server.url) - late
            finally:
                for task in talking:
                    task.cancel()
                await asyncio.gather(*talking, return_exceptions=True)
    rates = [rate for visit in visits for rate in _rates(visit, begin, end)]
    missing = sum(_missing(visit, begin, end) for visit in visits)
    return {
        "sessions": count,
        "fps_p5": rounded(float(np.percentile(rates, 5)) if rates else None),
        "fps_p50": rounded(float(np.percentile(rates, 50)) if rates else None),
        "late_ticks": late + missing,
        "repeated_pictures": late,
        "missing_pictures": missing,
        "cpu_percent": rounded(100 * cpu / (end - begin), 1),
        "cpu_ms_per_tick": rounded(1000 * cpu / (end - begin) / (FPS * count), 1),
        "rss_mb": rounded(peak, 1),
        "seconds": rounded(end - begin, 1),
        "lost_packets": sum(visit.viewer.lost for visit in visits),
    }


async def _sleep_while_talking(talking: list[asyncio.Task[None]], seconds: float) -> None:
    done, _ = await asyncio.wait(talking, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _late(url: str) -> int:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        answer = (await http.get("/bench/late")).raise_for_status()
        return int(answer.json()["late_pictures"])


def _rates(visit: Visit, begin: float, end: float) -> list[float]:
    return frame_rates([at for at, _ in visit.viewer.picture_times if begin <= at <= end])


def _missing(visit: Visit, begin: float, end: float) -> int:
    """Ticks between the first and the last picture that have none."""
    stamps = [rtp for at, rtp in visit.viewer.picture_times if begin <= at <= end]
    steps = [
        round((later - earlier) % (1 << 32) / VIDEO_STEP)
        for earlier, later in itertools.pairwise(stamps)
    ]
    return sum(step - 1 for step in steps if step > 1)
