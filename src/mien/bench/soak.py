"""``mien bench soak``: what grows when it runs long, or is opened and closed often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from mien.bench.figures import rounded, slope
from mien.bench.server import Running, running_server
from mien.bench.sync import pair, summary, watched_talk
from mien.bench.visit import VisitError, visiting

SAMPLE_SEC = 5.0
# Thread pools fill, caches warm and allocators settle at first: memory grows by 6 MB over the
# first 20 rounds, by 1.5 MB over the next 30, by as much again over the next 100.
WARM_UP_ROUNDS = 20
WARM_UP_SEC = 30.0
_GROWING = ("rss", "threads", "fds", "tasks", "children")

Counts = dict[str, int]


async def counts(url: str) -> Counts:
    """Of the server: rss (bytes), threads, fds, tasks, children, sessions."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        answer: Counts = (await http.get("/bench/counts")).raise_for_status().json()
        return answer


def growth(samples: list[Counts]) -> dict[str, Any]:
    """How much each count grew from the first fifth to the last (rss in MB = 10⁶ bytes).

    The least of each fifth is compared: what a session leaves for a moment until memory is
    given back (12 MB) is no growth, a leak raises the floor.
    """
    part = max(1, len(samples) // 5)
    grown = {
        name: min(s[name] for s in samples[-part:]) - min(s[name] for s in samples[:part])
        for name in _GROWING
    }
    return {
        "rss_growth_mb": rounded(grown.pop("rss") / 1e6),
        **{f"{name}_growth": grown[name] for name in grown},
    }


async def run_soak(
    minutes: float, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """One conversation that talks without end: drift, and growth after the first half minute.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    with running_server("marker", **settings) as server:
        async with visiting(server.url) as visit:
            async with watched_talk(visit) as (sound, pictures, talking):
                samples, cpu = await _sample(server, minutes * 60, talking, on_progress)
            pairs = pair(sound.beeps, pictures.flashes)
            rate = visit.viewer.picture_clock.measured_rate
            figures = summary(pairs, pictures, rate, visit.viewer.lost)
    minute = [at / 60 for at, _ in samples]
    rss = [one["rss"] / 1e6 for _, one in samples]
    return {
        "minutes": rounded(minutes),
        **figures,
        **growth([one for _, one in samples]),
        "rss_mb": rounded(rss[-1], 1),
        "rss_mb_per_min": rounded(slope(minute, rss), 3),
        "cpu_percent": rounded(cpu, 1),
    }


async def _sample(
    server: Running,
    seconds: float,
    talking: asyncio.Task[None],
    on_progress: Callable[[float], None],
) -> tuple[list[tuple[float, Counts]], float]:
    begin = time.monotonic()
    cpu = server.cpu_sec()
    samples: list[tuple[float, Counts]] = []
    # A short run has no time to waste on settling; half of it must do.
    settled = min(WARM_UP_SEC, seconds / 2)
    while (passed := time.monotonic() - begin) < seconds:
        on_progress(passed / seconds)
        await asyncio.wait([talking], timeout=min(SAMPLE_SEC, seconds - passed))
        if talking.done():
            talking.result()
        if time.monotonic() - begin >= settled:
            samples.append((time.monotonic() - begin, await counts(server.url)))
    return samples, 100 * (server.cpu_sec() - cpu) / (time.monotonic() - begin)


async def run_rounds(
    rounds: int, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """Open a session, watch, talk, interrupt and close it again, ``rounds`` times.

    Growth is from the end of the warm-up (twenty further rounds before) to the end.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    samples: list[Counts] = []
    total = rounds + WARM_UP_ROUNDS
    with running_server("product", **settings) as server:
        for number in range(total):
            on_progress(number / total)
            await _one_round(server.url)
            if number + 1 >= WARM_UP_ROUNDS:
                samples.append(await _quiet_counts(server.url))
    axis = [float(number) for number in range(len(samples))]
    slopes = {
        f"{name}_per_round": rounded(slope(axis, [float(s[name]) for s in samples]), 4)
        for name in _GROWING
        if name != "rss"
    }
    grown = growth(samples)
    return {
        "rounds": rounds,
        **grown,
        "rss_mb": rounded(samples[-1]["rss"] / 1e6, 1),
        "rss_mb_per_round": rounded(grown["rss_growth_mb"] / rounds, 4),
        **slopes,
    }


async def _one_round(url: str) -> None:
    async with visiting(url, decode=False, pictures=3) as visit:
        _, turn = await visit.ask()
        if await visit.event("latency", turn, 30) is None:
            raise VisitError("an answer did not begin within 30 s")
        await visit.interrupt()


async def _quiet_counts(url: str) -> Counts:
    """Counts once the session is gone; the last tasks end a moment after it."""
    before: Counts | None = None
    for _ in range(100):
        now = await counts(url)
        steady = before is not None and now["tasks"] == before["tasks"]
        if now["sessions"] == 0 and steady:
            return now
        before = now
        await asyncio.sleep(0.1)
    raise VisitError("a closed session did not end within 10 s")
