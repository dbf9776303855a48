"""Recordings of a running program, decoded and looked at."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from mien.media.lengths import described
from mien.media.program import Program
from mien.media.recorder import Mp4Recorder, Recorder, WebmRecorder
from mien.media.rendition import Rendition
from played import played
from ticking import FlashBeep

SIZE = (320, 240)


async def until(met: object, what: str) -> None:
    for _ in range(3000):
        if met():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


@contextmanager
def _program() -> Iterator[Program]:
    with ThreadPoolExecutor(2) as executor:
        yield Program(FlashBeep(SIZE), SIZE, executor)


async def test_pictures_and_sound_are_in_time_and_a_pause_is_cut_out(tmp_path: Path) -> None:
    with _program() as program:
        running = asyncio.create_task(program.run())
        recorders: list[Recorder] = [
            Mp4Recorder(tmp_path / "a.mp4", {"title": "Übung 一"}),
            WebmRecorder(tmp_path / "b.webm", {"title": "Übung 一"}),
            WebmRecorder(tmp_path / "c.webm", rendition=Rendition(*SIZE, codec="vp8")),
        ]
        live: list[int] = []
        tasks = [
            asyncio.create_task(each.run(program, lambda: live.append(1))) for each in recorders
        ]
        await until(lambda: all(each.seconds >= 1.5 for each in recorders), "1.5 s of all three")
        assert len(live) == 3 and all(each.writing for each in recorders)
        for each in recorders:
            each.pause()
        before = [each.figures()["bytes"] for each in recorders]
        await asyncio.sleep(0.7)
        assert program.encoded and not any(
            each.figures()["seconds"] > 2.4
            for each in recorders  # type: ignore[operator]
        )
        for each in recorders:
            each.resume()
        await until(lambda: all(each.seconds >= 3.2 for each in recorders), "1.5 s more")
        assert all(
            each.figures()["bytes"] > size  # type: ignore[operator]
            for each, size in zip(recorders, before, strict=True)
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        running.cancel()
    for each in recorders:
        assert each.path is not None and not each.writing
        _check(each.path)
        seconds = described(each.path).seconds
        assert seconds == pytest.approx(each.seconds, abs=0.045)


def _check(path: Path) -> None:
    seen = played(path)
    # 25 pictures a second, one every 40 ms, through the cut as well.
    assert [round(at * 1000) for at in seen.times] == [40 * n for n in range(len(seen.times))]
    steps = [b - a for a, b in zip(seen.ticks, seen.ticks[1:], strict=False)]
    (cut,) = [step for step in steps if step != 1]
    assert 10 < cut < 50
    assert abs(seen.video_end - seen.sound_end) <= 0.040
    assert len(seen.offsets) >= 2
    assert max(map(abs, seen.offsets)) <= 0.002, (path.name, seen.offsets)


CHILD = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mien.media.program import Program
from mien.media.recorder import Mp4Recorder, WebmRecorder
from ticking import FlashBeep

class Told(FlashBeep):
    def tick(self, index):
        print(index, flush=True)
        return super().tick(index)

async def main():
    program = Program(Told(), (320, 240), ThreadPoolExecutor(2))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(program.run())
        for make, name in (Mp4Recorder, "a.mp4"), (WebmRecorder, "a.webm"):
            tasks.create_task(make(Path(sys.argv[2]) / name).run(program, lambda: None))

asyncio.run(main())
"""


def test_a_recording_that_is_killed_plays_up_to_the_last_second(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        last = 0
        while last < 65:  # in the midst of a beep and a flash
            last = int(child.stdout.readline())
        child.kill()
        last = max([last, *map(int, child.stdout.read().split())])
    for path in (tmp_path / "a.mp4", tmp_path / "a.webm"):
        seen = played(path)
        assert seen.ticks[-1] >= last - 25, path.name
        assert seen.sound_end >= seen.video_end - 0.040
        assert seen.ticks == list(range(seen.ticks[0], seen.ticks[-1] + 1))
        assert max(map(abs, seen.offsets)) <= 0.002
        assert described(path).seconds == pytest.approx(seen.video_end, abs=0.045)
