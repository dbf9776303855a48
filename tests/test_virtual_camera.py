"""The virtual camera's process: pictures through a pipe, failures in words.

No machine that runs tests has such a camera, so the real pyvirtualcam shows how it fails without;
a package of that name made here, which writes what it is shown into a file, how it works with one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from child_processes import children_with
from mien.label.label import UNLABELLED, Label
from mien.media.output import OutputError
from mien.media.program import Program
from mien.media.rendition import Rendition
from mien.media.virtual_camera import PROCESS, VirtualCamera
from ticking import FlashBeep, counted
from walls import labelled

SIZE = (160, 120)
LONG = 30.0

CAMERA = """
import os, time

class Camera:
    def __init__(self, width, height, fps, *, device=None):
        if device == "busy":
            raise RuntimeError("'obs' backend: virtual camera output could not be started")
        if device == "broken":
            raise RuntimeError("'obs' backend: the driver speaks another dialect")
        self.device = device or "Stand-in"
        self.file = open(os.environ["SHOWN"], "ab")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.write(b"closed")
        self.file.close()

    def send(self, picture):
        if self.device == "stuck":
            time.sleep(3600)
        self.file.write(picture.tobytes())
        self.file.flush()
"""


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in writes what it is shown."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "pyvirtualcam.py").write_text(CAMERA)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "package"))
    monkeypatch.setenv("SHOWN", str(tmp_path / "shown"))
    return tmp_path / "shown"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@asynccontextmanager
async def on_air(
    camera: VirtualCamera, threads: ThreadPoolExecutor, label: Label = UNLABELLED
) -> AsyncIterator[Program]:
    """A program that runs, and the camera showing it."""
    program = Program(FlashBeep(SIZE), SIZE, threads, label=label)
    live = asyncio.Event()
    running = asyncio.create_task(program.run())
    showing = asyncio.create_task(camera.run(program, live.set))
    try:
        async with asyncio.timeout(LONG):
            waiting = asyncio.create_task(live.wait())
            await asyncio.wait({waiting, showing}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        if showing.done():
            showing.result()
        yield program
    finally:
        for task in (showing, running):
            task.cancel()
        async with asyncio.timeout(LONG):
            await asyncio.gather(showing, running, return_exceptions=True)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def written(shown: Path, size: tuple[int, int]) -> np.ndarray:
    """uint8[n, H, W, 3]: whole pictures, and the camera closed behind them."""
    data = shown.read_bytes()
    assert data.endswith(b"closed"), "it took leave of the device"
    return np.frombuffer(data[:-6], np.uint8).reshape(-1, size[1], size[0], 3)


def processes() -> list[psutil.Process]:
    return children_with(str(PROCESS))


async def test_pictures_reach_the_camera_in_order_and_it_is_closed_at_the_end(
    shown: Path, threads: ThreadPoolExecutor
) -> None:
    camera = VirtualCamera()
    async with on_air(camera, threads):
        assert camera.label == "Stand-in"
        await eventually(lambda: int(camera.figures()["pictures"]) >= 8)
    assert not processes()
    pictures = written(shown, SIZE)
    numbers = [counted(picture, SIZE) for picture in pictures]
    assert len(numbers) >= 8 and numbers == sorted(set(numbers))
    assert camera.figures()["bytes"] == int(camera.figures()["pictures"]) * pictures[0].size


async def test_pictures_are_made_to_the_size_asked_for_and_labelled(
    shown: Path, threads: ThreadPoolExecutor
) -> None:
    camera = VirtualCamera("camera 4", Rendition(320, 240))
    async with on_air(camera, threads, labelled(corner="bottom-right")):
        assert camera.label == "camera 4"
        await eventually(lambda: int(camera.figures()["pictures"]) >= 3)
    dark = [picture for picture in written(shown, (320, 240)) if picture[160, 20].max() < 60]
    assert dark and all(picture[-40:, -90:].max() > 180 for picture in dark), "white letters"
    assert all(picture[100:180].max() < 60 for picture in dark), "and nothing elsewhere"


async def test_a_camera_that_takes_no_pictures_holds_nobody_up(
    shown: Path, threads: ThreadPoolExecutor
) -> None:
    camera = VirtualCamera("stuck", Rendition(1280, 720))  # more than a pipe holds
    async with on_air(camera, threads) as program:
        with program.ticks() as ticks:
            first = await ticks.get()
            for _ in range(5):
                last = await ticks.get()
        assert last.index > first.index
    assert not processes(), "ended by force"


async def test_a_process_that_dies_is_told_and_another_attempt_may_begin(
    shown: Path, threads: ThreadPoolExecutor
) -> None:
    camera = VirtualCamera()
    program = Program(FlashBeep(SIZE), SIZE, threads)
    running = asyncio.create_task(program.run())
    try:
        for _ in range(2):
            with pytest.raises(OutputError, match="has ended") as told:
                async with asyncio.timeout(LONG):
                    await camera.run(program, lambda: processes()[0].send_signal(signal.SIGKILL))
            assert told.value.code == "camera_died" and told.value.retryable
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_ends_with_its_parent(shown: Path) -> None:
    """However the parent goes: what counts is the end of its pipe."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), "160", "120", "25",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    async with asyncio.timeout(LONG):
        assert await process.stdout.readline() == b'{"ready": "Stand-in"}\n'
        process.terminate()  # as a service manager ends all of a service at once
        process.stdin.write(bytes(100))  # in the middle of a picture
        process.stdin.close()
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("device", "code", "retryable", "words"),
    [
        ("busy", "device_busy", True, "in use by another program"),
        ("broken", "camera_failed", True, "the driver speaks another dialect"),
    ],
)
async def test_a_device_that_refuses_is_told(
    device: str,
    code: str,
    retryable: bool,
    words: str,
    shown: Path,
    threads: ThreadPoolExecutor,
) -> None:
    await told(VirtualCamera(device), threads, code, retryable, words)


async def test_without_the_package_one_is_told_how_to_get_it(
    threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "raise ModuleNotFoundError(\"No module named 'pyvirtualcam'\")"
    (tmp_path / "pyvirtualcam.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    await told(VirtualCamera(), threads, "missing_package", False, "pip install 'mien[camera]'")


@pytest.mark.skipif(not importlib.util.find_spec("pyvirtualcam"), reason="mien[camera] is missing")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems may have a camera")
@pytest.mark.skipif(bool(list(Path("/dev").glob("video*"))), reason="this machine has cameras")
@pytest.mark.parametrize("device", [None, "/dev/video9"])
async def test_the_real_package_without_a_device(
    device: str | None, threads: ThreadPoolExecutor
) -> None:
    await told(VirtualCamera(device), threads, "no_device", False, "sudo modprobe v4l2loopback")


async def told(
    camera: VirtualCamera, threads: ThreadPoolExecutor, code: str, retryable: bool, words: str
) -> None:
    with pytest.raises(OutputError, match=re.escape(words)) as trouble:
        async with on_air(camera, threads):
            pass
    assert (trouble.value.code, trouble.value.retryable) == (code, retryable)
    assert trouble.value.zh
    assert not processes()
