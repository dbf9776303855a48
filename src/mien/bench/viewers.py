"""``mien bench viewers``: what every further viewer of one session costs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from mien.bench.figures import frame_rates, quantiles, rounded
from mien.bench.server import Running, running_server
from mien.bench.sessions import SETTLE_SEC
from mien.bench.visit import VisitError, visiting
from mien.media.tick import FPS

# Two watch from two cores; the viewers of one process share an interpreter.
PROCESSES = 2
SPACING_SEC = 0.1
# Lines with every picture that thirty viewers saw in minutes.
_LINE_LIMIT = 1 << 28


@dataclass
class Crowd:
    """Viewers of one session in a process of their own."""

    process: Process

    async def leave(self) -> list[dict[str, Any]]:
        """What each viewer saw, see :mod:`mien.bench.viewer_process`."""
        out, _ = await self.process.communicate(b"")  # which closes its input
        return list(json.loads(out))


@asynccontextmanager
async def crowd(url: str, whep: str, count: int) -> AsyncIterator[Crowd]:
    """``count`` viewers of the session at ``whep``, all of which see pictures.

    Raises:
        VisitError: when one of them does not.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mien.bench.viewer_process"),
        stdin=PIPE,
        stdout=PIPE,
        limit=_LINE_LIMIT,
    )
    assert process.stdin is not None and process.stdout is not None
    order = {"url": url, "whep": whep, "count": count, "spacing_sec": SPACING_SEC}
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
        if not await process.stdout.readline():
            raise VisitError(f"{count} viewers did not all see pictures; their log is above")
        yield Crowd(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: CPU seconds of the server, pictures it encoded, begin and end."""

    cpu: float
    encoded: float
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


async def _span(
    server: Running, seconds: float, talking: asyncio.Task[None], on_step: Callable[[], None]
) -> Span:
    cpu, encoded, begin = server.cpu_sec(), await pictures_encoded(server.url), time.monotonic()
    for _ in range(10):
        await asyncio.wait([talking], timeout=seconds / 10)
        if talking.done():
            talking.result()
        on_step()
    end = time.monotonic()
    encoded = await pictures_encoded(server.url) - encoded
    return Span(server.cpu_sec() - cpu, encoded, begin, end)


async def pictures_encoded(url: str) -> float:
    """``mien_pictures_encoded_total`` as /metrics says it."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        text = (await http.get("/metrics")).raise_for_status().text
    found = re.search(r"^mien_pictures_encoded_total (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def run_viewers(
    count: int, seconds: float, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """One session that talks, watched by one viewer, by ``count``, and by one again.

    cpu_percent…: of one core, server and voice process. cpu_ms_per_picture…: the same for each
    picture shown; cpu_ratio: of that with all to that with one. cpu_percent_per_viewer (at 25
    pictures per second), cpu_us_per_packet: of each viewer after the first. encoded_per_sec:
    pictures encoded while all watched; 25 whoever watches. fps_min, fps_median: over the viewers,
    by the arrival of each picture's last packet; fps_p5: the 5th percentile over stretches of one
    second of all. join_ms: from the offer sent to the first key frame; first_picture_ms: the same
    from the moment the connection stood.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    steps = iter(range(1, 31))

    def on_step() -> None:
        on_progress(next(steps) / 30)

    with running_server("product", **settings) as server:
        async with visiting(server.url, pictures=0) as visit:
            talking = asyncio.create_task(visit.keep_talking(), name="talk")
            try:
                async with crowd(server.url, visit.whep, 1) as first:
                    await asyncio.sleep(SETTLE_SEC)
                    before = await _span(server, seconds / 2, talking, on_step)
                    async with AsyncExitStack() as stack:
                        others = await asyncio.gather(
                            *(
                                stack.enter_async_context(crowd(server.url, visit.whep, share))
                                for share in _shares(count - 1)
                            )
                        )
                        await asyncio.sleep(SETTLE_SEC)
                        rss = server.rss_mb()
                        all_ = await _span(server, seconds, talking, on_step)
                        seen = [one for other in others for one in await other.leave()]
                    await asyncio.sleep(SETTLE_SEC)
                    after = await _span(server, seconds / 2, talking, on_step)
                    seen += await first.leave()
            finally:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
    return _figures(seen, all_, [before, after], rss)


def _shares(count: int) -> list[int]:
    """``count`` viewers over the processes, none empty."""
    parts = [count // PROCESSES + (n < count % PROCESSES) for n in range(PROCESSES)]
    return [part for part in parts if part]


def _figures(seen: list[dict[str, Any]], all_: Span, one: list[Span], rss: float) -> dict[str, Any]:
    watched = [_within(viewer, [all_]) for viewer in seen]
    times = [[at for at, _, _ in pictures] for pictures in watched]
    means = [(len(t) - 1) / (t[-1] - t[0]) if len(t) > 1 else 0.0 for t in times]
    rates = [rate for t in times for rate in frame_rates(t)]
    # The first viewer watched all the time. Per picture, figures hold on a machine that is too
    # busy for every picture as well.
    single = _cpu_ms_per_picture(seen[-1], one)
    all_ms = _cpu_ms_per_picture(seen[-1], [all_])
    each = (all_ms - single) / max(1, len(seen) - 1)
    packets = sum(_packets_per_picture(pictures) for pictures in watched) / len(seen)
    return {
        "viewers": len(seen),
        "cpu_percent_one": rounded(100 * sum(s.cpu for s in one) / sum(s.seconds for s in one), 1),
        "cpu_percent": rounded(100 * all_.cpu / all_.seconds, 1),
        "cpu_ms_per_picture_one": rounded(single),
        "cpu_ms_per_picture": rounded(all_ms),
        "cpu_ratio": rounded(all_ms / single) if single else None,
        "cpu_percent_per_viewer": rounded(each * FPS / 10, 3),
        "cpu_us_per_packet": rounded(1000 * each / packets, 1) if packets else None,
        "packets_per_picture": rounded(packets),
        "encoded_per_sec": rounded(all_.encoded / all_.seconds),
        "fps_min": rounded(min(means)),
        "fps_median": rounded(float(np.median(means))),
        "fps_p5": rounded(float(np.percentile(rates, 5)) if rates else None),
        "join_ms": quantiles([v["join_ms"] for v in seen]),
        "first_picture_ms": quantiles([v["first_picture_ms"] for v in seen]),
        "lost_packets": sum(v["lost"] for v in seen),
        "broken_packets": sum(v["broken"] for v in seen),
        "rss_mb": rounded(rss, 1),
        "seconds": rounded(all_.seconds, 1),
    }


def _within(viewer: dict[str, Any], spans: list[Span]) -> list[list[float]]:
    """The pictures that arrived then: arrival, RTP time, packets so far."""
    return [
        picture
        for picture in viewer["pictures"]
        if any(span.begin <= picture[0] <= span.end for span in spans)
    ]


def _cpu_ms_per_picture(viewer: dict[str, Any], spans: list[Span]) -> float:
    return 1000 * sum(span.cpu for span in spans) / max(1, len(_within(viewer, spans)))


def _packets_per_picture(pictures: list[list[float]]) -> float:
    """Sound included."""
    return (pictures[-1][2] - pictures[0][2]) / (len(pictures) - 1) if len(pictures) > 1 else 0.0
