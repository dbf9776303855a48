"""``mien bench rtmp``: a session on the air at a real media server, watched from there."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from mien.bench.figures import mean_sd, quantiles, rounded, slope
from mien.bench.rtmp_server import MediaServer, chosen_srs, media_server
from mien.bench.server import running_server
from mien.bench.sync import SAME_SEC, Seen, watched_talk
from mien.bench.visit import Visit, VisitError, visiting
from mien.media.tick import FPS, TICK_SEC

KEY = "bench"
LIVE_SEC = 30.0
# From 1900 (NTP) to 1970 (Unix), in s.
NTP_EPOCH = 2_208_988_800
# How long the server stays away, in turns.
DOWN_SEC = (0.3, 1.0, 2.0, 0.6)
BETWEEN_SEC = 1.5

Line = dict[str, Any]


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[list[Line]]:
    """What a reader of ``url`` tells, growing; see :mod:`mien.bench.rtmp_reader`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mien.bench.rtmp_reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    lines: list[Line] = []
    output = process.stdout

    async def listen() -> None:
        while line := await output.readline():
            lines.append(json.loads(line))

    process.stdin.write(url.encode() + b"\n")
    listening = asyncio.create_task(listen(), name="reader")
    try:
        yield lines
    finally:
        process.stdin.close()
        await process.wait()
        await listening


async def on_air(visit: Visit, media: MediaServer) -> str:
    """Publish the session; returns the output's id once it is live.

    Raises:
        VisitError: when it does not get there.
    """
    begun = time.monotonic()
    output = await visit.publish(media.url, KEY)
    await live_since(visit, output, begun)
    return output


async def live_since(visit: Visit, output: str, begun: float) -> float:
    """When (monotonic s) an output went live at or after ``begun``; waits for it."""
    while time.monotonic() < begun + LIVE_SEC:
        for at, message in visit.events:
            if message.get("type") == "output" and message["id"] == output and at >= begun:
                if message["state"] == "live":
                    return at
        await asyncio.sleep(0.005)
    raise VisitError(f"the stream was not on the air within {LIVE_SEC:.0f} s")


async def watch_stream(
    visit: Visit, media: MediaServer, seconds: float, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """Let the session talk and compare what a reader of the stream gets with its media time."""
    await on_air(visit, media)
    async with reading(f"{media.url}/{KEY}") as lines, watched_talk(visit) as (_, direct, talking):
        for step in range(100):
            on_progress(step / 100)
            await asyncio.wait([talking], timeout=seconds / 100)
            if talking.done():
                talking.result()
    clock = visit.viewer.picture_clock
    due = [clock.ntp(rtp) - NTP_EPOCH for rtp in direct.rtp]
    return stream_figures(lines, direct.flashes, due)


def stream_figures(lines: list[Line], direct: list[Seen], due: list[float]) -> dict[str, Any]:
    """direct: the same flashes at a viewer who knows when each was due (NTP time). due: when the
    pictures were due that this viewer got (Unix time).

    Raises:
        VisitError: when the reader saw nothing.
    """
    ready = next((line["now"] for line in lines if "codecs" in line), None)
    # What FFmpeg gathers while it finds out about a stream comes all at once.
    pictures = [x for x in lines if "picture" in x and ready and x["now"] > ready + 1]
    if ready is None or len(pictures) < 2:
        raise VisitError(f"the stream could not be read: {lines[-1:] or 'nothing came'}")
    flashes = _first_of_each([x for x in pictures if "flash" in x])
    beeps = [x for x in lines if "beep" in x]
    offsets = _offsets(flashes, beeps)
    origin = _origin(flashes, direct)
    delays = [1000 * (x["now"] - origin - x["picture"]) for x in pictures] if origin else []
    times = [x["picture"] for x in pictures]
    mean, sd = mean_sd([offset for _, offset in offsets])
    missing = sum(round((b - a) / TICK_SEC) - 1 for a, b in itertools.pairwise(times))
    return {
        "codecs": lines[0]["codecs"],
        "glass_to_glass_ms_p50": quantiles(delays)["p50"],
        "glass_to_glass_ms_p95": quantiles(delays)["p95"],
        "offset_ms_mean": rounded(mean),
        "offset_ms_sd": rounded(sd),
        "offset_ms_max": rounded(max((abs(o) for _, o in offsets), default=None)),
        "offset_drift_ms_per_min": rounded(slope(*_columns(offsets))),
        "beeps": len(offsets),
        "fps": rounded((len(times) - 1) / (times[-1] - times[0]), 3),
        "pictures": len(pictures),
        "missing_pictures": missing,
        "lost_pictures": _lost(times, [at - origin for at in due]) if origin else None,
        "seconds": rounded(len(pictures) / FPS, 1),
    }


def _first_of_each(flashes: list[Line]) -> list[Line]:
    """Without pictures that were repeated because the next was late."""
    return [
        flash
        for number, flash in enumerate(flashes)
        if number == 0 or flash["flash"] != flashes[number - 1]["flash"]
    ]


def _offsets(flashes: list[Line], beeps: list[Line]) -> list[tuple[float, float]]:
    """(minutes, picture minus sound in ms) of each beep that was seen as well."""
    found = []
    for flash in flashes:
        seen = flash["picture"] + flash["ms"] / 1000
        same = [b["at"] - seen for b in beeps if b["beep"] == flash["flash"]]
        near = min(same, key=abs, default=SAME_SEC)
        if abs(near) < SAME_SEC:
            found.append((seen / 60, -1000 * near))
    return found


def _origin(flashes: list[Line], direct: list[Seen]) -> float | None:
    """Unix time of the stream's time 0: when its pictures were due, by the session's clock."""
    origins = []
    for flash in flashes:
        seen = flash["picture"] + flash["ms"] / 1000
        same = [s.ntp - NTP_EPOCH - seen for s in direct if s.number == flash["flash"]]
        # Numbers come again after minutes; the delay is known to be shorter.
        due = [origin for origin in same if abs(flash["now"] - origin - seen) < SAME_SEC]
        origins += due[:1]
    return statistics.median(origins) if origins else None


def _lost(times: list[float], made: list[float]) -> int:
    """Pictures that were made (another viewer got them) and are not in the stream."""
    ticks = {round(at / TICK_SEC) for at in times}
    others = {round(at / TICK_SEC) for at in made}
    return len({tick for tick in others if min(ticks) <= tick <= max(ticks)} - ticks)


def _columns(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


async def kill_again_and_again(
    visit: Visit, media: MediaServer, kills: int, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """Kill the media server in the middle of speech; see when the stream is back, and whether a
    WebRTC viewer of the session notices."""
    output = await on_air(visit, media)
    talking = asyncio.create_task(visit.keep_talking(), name="talk")
    lags: list[float] = []
    lagging = asyncio.create_task(_note_lags(lags), name="lag")
    try:
        await asyncio.sleep(5)
        lags.clear()
        before = await _counts(visit)
        calm = time.monotonic()
        await asyncio.sleep(min(20, 2 * kills))
        begun = time.monotonic()
        back = []
        for number in range(kills):
            on_progress(number / kills)
            await asyncio.to_thread(media.kill)
            await asyncio.sleep(DOWN_SEC[number % len(DOWN_SEC)])
            restarted = time.monotonic()
            await asyncio.to_thread(media.start)
            back.append(await live_since(visit, output, restarted) - restarted)
            await asyncio.sleep(BETWEEN_SEC)
        ended = time.monotonic()
        after = await _counts(visit)
    finally:
        talking.cancel()
        lagging.cancel()
        await asyncio.gather(talking, lagging, return_exceptions=True)
    arrivals = [at for at, _ in visit.viewer.picture_times]
    return {
        "kills": kills,
        "back_sec_p50": quantiles(back, 2)["p50"],
        "back_sec_max": rounded(max(back)),
        "stall_ms_max": _worst_stall(arrivals, begun, ended),
        "stall_ms_max_before": _worst_stall(arrivals, calm, begun),
        "own_lag_ms_max": rounded(1000 * max(lags), 1),
        "rss_mb_before": round(before["rss"] / 1e6, 1),
        "rss_mb_after": round(after["rss"] / 1e6, 1),
        "tasks_more": after["tasks"] - before["tasks"],
        "fds_more": after["fds"] - before["fds"],
        "threads_more": after["threads"] - before["threads"],
    }


async def _note_lags(lags: list[float]) -> None:
    """How late this process itself is woken, s: it cannot see shorter stalls than that."""
    while True:
        begun = time.monotonic()
        await asyncio.sleep(0.01)
        lags.append(time.monotonic() - begun - 0.01)


async def _counts(visit: Visit) -> dict[str, int]:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        counts: dict[str, int] = (await http.get(f"{visit.url}/bench/counts")).json()
        return counts


def _worst_stall(arrivals: list[float], begin: float, end: float) -> float | None:
    """How much later than a picture's time the next one came at worst, ms."""
    inside = [at for at in arrivals if begin <= at <= end]
    gaps = [b - a - TICK_SEC for a, b in itertools.pairwise(inside)]
    return rounded(1000 * max(gaps), 1) if gaps else None


async def run_rtmp(
    seconds: float, kills: int, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """Publish a session of the measuring kit to a media server of one's own.

    Raises:
        NoMediaServer, ServerDied, VisitError: when something does not do its part.
    """
    srs = chosen_srs()
    result: dict[str, Any] = {"server": "SRS" if srs else "nginx-rtmp"}
    share = 1.0 if not kills else 0.5
    with media_server(srs=srs) as media, running_server("marker") as server:
        async with visiting(server.url) as visit:
            watched = await watch_stream(visit, media, seconds, lambda p: on_progress(share * p))
            result |= watched
        if kills:
            async with visiting(server.url, decode=False) as visit:
                result |= await kill_again_and_again(
                    visit, media, kills, lambda p: on_progress(share + (1 - share) * p)
                )
    return result
