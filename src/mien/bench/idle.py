"""``mien bench idle``: what it costs to be there and do nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from mien.bench.figures import frame_rates, rounded
from mien.bench.server import running_server
from mien.bench.sessions import SETTLE_SEC
from mien.bench.visit import visiting
from mien.media.h264 import H264Encoder
from mien.media.rendition import VideoSettings
from mien.media.tick import FPS

SIZE = 512


async def run_idle(
    seconds: float, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """One session with one viewer, nobody talks: 512×512 at 25 fps for ``seconds``.

    cpu_percent: of one core, server and voice process together. compose_ms, encode_ms: CPU ms
    per picture of the presenter, measured in a loop without a server.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    video = {"width": SIZE, "height": SIZE}
    with running_server("product", video=video, **settings) as server:
        async with visiting(server.url, decode=False) as visit:
            await asyncio.sleep(SETTLE_SEC)
            cpu, begin = server.cpu_sec(), time.monotonic()
            for step in range(20):
                on_progress(step / 20)
                await asyncio.sleep(seconds / 20)
            spent, end = server.cpu_sec() - cpu, time.monotonic()
            times = [at for at, _ in visit.viewer.picture_times if at >= begin]
            rss = server.rss_mb()
    rates = frame_rates(times)
    compose, encode = await asyncio.to_thread(picture_ms)
    return {
        "cpu_percent": rounded(100 * spent / (end - begin), 1),
        "compose_ms": rounded(compose, 3),
        "compose_percent": rounded(compose * FPS / 10, 1),
        "encode_ms": rounded(encode, 3),
        "encode_percent": rounded(encode * FPS / 10, 1),
        "fps": rounded(sum(rates) / len(rates) if rates else None),
        "rss_mb": rounded(rss, 1),
        "seconds": rounded(end - begin, 1),
    }


def picture_ms(count: int = 250, avatar: str = "mei") -> tuple[float, float]:
    """CPU ms of one idle picture of ``avatar``: to compose it, life included, and to encode it."""
    import cv2

    from mien.avatar.library import load_avatar

    cv2.setNumThreads(1)  # as the server does
    person = load_avatar(avatar)
    life = person.life(0)
    encoder = H264Encoder(SIZE, SIZE, VideoSettings())
    drawing = encoding = 0.0
    for tick in range(FPS + count):
        begin = time.thread_time()
        picture = person.compose(tick, None, life.pose(tick, 0.0, "idle"))
        drawn = time.thread_time()
        encoder.encode(picture, tick, keyframe=False)
        if tick >= FPS:  # the first second loads and allocates
            drawing += drawn - begin
            encoding += time.thread_time() - drawn
    return 1000 * drawing / count, 1000 * encoding / count
