"""Recordings of a running program, decoded and looked at."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from mien.media.lengths import described
from mien.media.program import Program
from mien.media.recorder import Mp4Recorder, Recorder, WebmRecorder
from mien.media.rendition import Rendition
from played import played
from ticking import FlashBeep

SIZE = (320, 240)


async def until(met: Callable[[], bool], what: str) -> None:
    for _ in range(4000):
        if met():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


async def test_pictures_and_sound_are_in_time_and_a_pause_is_cut_out(tmp_path: Path) -> None:
    source = FlashBeep(SIZE)
    recorders: list[Recorder] = [
        Mp4Recorder(tmp_path / "a.mp4", {"title": "Übung 一"}),
        WebmRecorder(tmp_path / "b.webm", {"title": "Übung 一"}),
        WebmRecorder(tmp_path / "c.webm", rendition=Rendition(*SIZE, codec="vp8")),
    ]
    live: list[str] = []
    with ThreadPoolExecutor(2) as executor:
        program = Program(source, SIZE, executor)
        running = asyncio.create_task(program.run())
        tasks = [
            asyncio.create_task(each.run(program, partial(live.append, each.kind)))
            for each in recorders
        ]
        await until(lambda: all(each.seconds >= 1.2 for each in recorders), "1.2 s of all three")
        await until(lambda: len(live) == 3, "files with pictures in them")
        assert all(each.writing for each in recorders)
        for each in recorders:
            each.pause()
        paused_at = max(source.emitted)
        await until(lambda: max(source.emitted) > paused_at + 12, "time to pass")
        for each in recorders:
            each.resume()
        await until(lambda: all(each.seconds >= 2.8 for each in recorders), "another second")
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
    # 25 pictures a second, each a whole number of times 40 ms from the start, also behind the cut.
    assert seen.times[0] == 0
    assert max(abs(at * 25 - round(at * 25)) for at in seen.times) < 1e-6
    (cut,) = seen.cuts.values()
    assert cut > 5
    assert abs(seen.video_end - seen.sound_end) <= 0.040
    assert seen.offsets and seen.offset <= 0.002, (path.name, seen.offsets)


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
        while last < 45:  # in the midst of a beep and a flash
            last = int(child.stdout.readline())
        child.kill()
        last = max([last, *map(int, child.stdout.read().split())])
    for path in (tmp_path / "a.mp4", tmp_path / "a.webm"):
        seen = played(path)
        assert seen.ticks[-1] >= last - 25, path.name
        assert seen.sound_end >= seen.video_end - 0.040
        assert seen.cuts == {}
        assert seen.offset <= 0.002
        assert described(path).seconds == pytest.approx(seen.video_end, abs=0.045)
