"""``mien bench compose``: CPU time of drawing a person, without a server."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.avatar.background import SOFT, Background
from mien.avatar.contract import Life, Pose
from mien.avatar.library import list_avatars, load_avatar
from mien.bench.figures import quantiles
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import FPS, TICK_SEC

SIZES = ((512, 512), (720, 1280))
SOUNDS = ("", "PP", "", "SS", "FF", "", "TH", "CH")


async def run_compose(on_progress: Callable[[float], None], ticks: int = 250) -> dict[str, Any]:
    """Lively speech of every presenter, in each size, before a gradient and before a picture.

    runs: one entry each with presenter, width, height, background ("soft" or "image"), compose_ms
    (the picture), i420_ms (what encoders take) and total_ms, as p50 and p95 of CPU ms of this
    process per tick.
    """
    return await asyncio.to_thread(_measure, on_progress, ticks)


def _measure(on_progress: Callable[[float], None], ticks: int) -> dict[str, Any]:
    cv2.setNumThreads(1)  # as the server does
    names = [info.name for info in list_avatars() if info.built_in]
    with tempfile.TemporaryDirectory() as folder:
        image = Background("image", image=_room(Path(folder) / "room.jpg"))
        cases = [(n, s, b) for n in names for s in SIZES for b in (SOFT, image)]
        runs = []
        for done, case in enumerate(cases):
            on_progress(done / len(cases))
            runs.append(_run(*case, ticks))
    return {"runs": runs, "ticks": ticks}


def _run(name: str, size: tuple[int, int], background: Background, ticks: int) -> dict[str, Any]:
    avatar = load_avatar(name, size, background)
    compose, convert = [], []
    for tick, mouth, pose in _speech(avatar.life(0), FPS + ticks):
        begin = time.process_time()
        picture = avatar.compose(tick, mouth, pose)
        drawn = time.process_time()
        cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
        if tick >= FPS:  # the first second allocates
            compose.append(1000 * (drawn - begin))
            convert.append(1000 * (time.process_time() - drawn))
    return {
        "presenter": name,
        "width": size[0],
        "height": size[1],
        "background": background.kind,
        "compose_ms": quantiles(compose, 3),
        "i420_ms": quantiles(convert, 3),
        "total_ms": quantiles([a + b for a, b in zip(compose, convert, strict=True)], 3),
    }


def _speech(life: Life, count: int) -> Iterator[tuple[int, Mouth, Pose]]:
    """Four syllables a second, a consonant between them, with the life of a speaker."""
    for tick in range(count):
        t = tick * TICK_SEC
        openness = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * t)
        sound = SOUNDS[int(4 * t) % len(SOUNDS)]
        grip = max(0.0, 1 - 4 * openness)
        shape = MouthShape(0.8 * openness, float(np.sin(2.1 * t)), sound, grip)
        yield tick, Mouth(shape), life.pose(tick, float(0.6 * openness), "speaking")


def _room(file: Path) -> Path:
    """A picture with detail everywhere, as a photo has."""
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    if not cv2.imwrite(str(file), cv2.GaussianBlur(noise, (0, 0), 3)):
        raise OSError(f"{file} could not be written")
    return file
