"""Viewers in a process of their own: ``python -m mien.bench.viewer_process``.

Reads one line of JSON (where, how many, how far apart they come), writes a line when all of them
see pictures, and on end of input a last line with what each saw. See :mod:`mien.bench.viewers`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

import httpx

from mien.bench.light_viewer import LightViewer

# Fifty viewers at once on two busy cores take some seconds to shake hands.
JOIN_SEC = 60.0


async def _run(order: dict[str, Any]) -> None:
    viewers = [LightViewer() for _ in range(order["count"])]
    async with httpx.AsyncClient(base_url=order["url"], timeout=JOIN_SEC, trust_env=False) as http:
        async with asyncio.timeout(JOIN_SEC + order["count"] * order["spacing_sec"]):
            for viewer in viewers:
                await viewer.watch(http, order["whep"])
                await asyncio.sleep(order["spacing_sec"])
            while any(viewer.first is None for viewer in viewers):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        gc.collect()
        gc.freeze()
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    print(json.dumps([_seen(viewer) for viewer in viewers]), flush=True)
    await asyncio.gather(*(viewer.close() for viewer in viewers))


def _seen(viewer: LightViewer) -> dict[str, Any]:
    assert viewer.first is not None and viewer.connected is not None
    return {
        "join_ms": 1000 * (viewer.first - viewer.asked),
        "first_picture_ms": 1000 * (viewer.first - viewer.connected),
        "pictures": viewer.pictures,
        "octets": viewer.octets,
        "lost": viewer.lost,
        "broken": viewer.broken,
    }


def main() -> None:
    asyncio.run(_run(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
