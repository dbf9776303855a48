"""The presenter as a camera of this computer, for video calls and every program that takes one.

Pictures only: no system's virtual cameras carry sound. The camera itself lives in a process of
its own, see ``virtual_camera_process``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mien.label.badge import Badge
from mien.media.fitting import fitted
from mien.media.output import Figure, OutputError
from mien.media.program import Program
from mien.media.rendition import Rendition
from mien.media.tick import FPS, Image

PROCESS = Path(__file__).with_name("virtual_camera_process.py")
# Loading NumPy and a driver on a busy machine; a camera that is there answers in half a second.
READY_SEC = 20.0
STALLED_SEC = 5.0
LEAVE_SEC = 1.0
# A picture of 512×512 in one or two rounds instead of thirteen (Linux; its largest by default).
PIPE_BYTES = 1 << 20


class VirtualCamera:
    """Shows a program in a virtual camera. Implements ``Output``.

    device: as the system names it (/dev/video4, "OBS Virtual Camera"); None: the first that is
    free. rendition: its size and fit are used; None: as the session's pictures are.
    """

    kind = "camera"

    def __init__(self, device: str | None = None, rendition: Rendition | None = None) -> None:
        self._wanted = device
        self._rendition = rendition
        self._device = device or ""
        self._pictures = self._left_out = self._bytes = 0

    @property
    def label(self) -> str:
        return self._device or "virtual camera"

    def figures(self) -> Mapping[str, Figure]:
        """pictures: shown so far. dropped: those the camera was too slow for."""
        return {"pictures": self._pictures, "dropped": self._left_out, "bytes": self._bytes}

    async def run(self, program: Program, on_live: Callable[[], None]) -> None:
        """Show pictures until cancelled. Raises OutputError, see :func:`_trouble`."""
        size = self._rendition or program.shared
        camera = await _Camera.open(size, self._wanted)
        try:
            self._device = await camera.ready()
            on_live()
            last: int | None = None
            with program.ticks() as ticks:
                while True:
                    tick = await ticks.get()
                    badge = program.label.drawn(leaves=True)
                    self._bytes += await camera.show(tick.image, badge)
                    self._pictures += 1
                    self._left_out += 0 if last is None else tick.index - last - 1
                    last = tick.index
        finally:
            await asyncio.shield(camera.aclose())


class _Camera:
    """The process, and the pipe to it, which only threads write into: a camera may block."""

    def __init__(self, process: asyncio.subprocess.Process, sink: int, size: Rendition) -> None:
        self._process = process
        self._sink = sink
        self._size = size
        self._writing: asyncio.Task[int] | None = None

    @classmethod
    async def open(cls, size: Rendition, device: str | None) -> _Camera:
        """Raises OutputError."""
        source, sink = os.pipe()
        arguments = [str(size.width), str(size.height), str(FPS), *([device] if device else [])]
        try:
            _widen(sink)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(PROCESS),
                *arguments,
                stdin=source,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            os.close(sink)
            raise _trouble("died", str(error)) from error
        except BaseException:
            os.close(sink)
            raise
        finally:
            os.close(source)
        return cls(process, sink, size)

    async def ready(self) -> str:
        """The device's name, once it can be seen. Raises OutputError."""
        try:
            async with asyncio.timeout(READY_SEC):
                return (await self._word())["ready"]
        except TimeoutError:
            raise _trouble("stalled", "") from None

    async def show(self, image: Image, badge: Badge | None = None) -> int:
        """Hand over a picture; waits until the camera has taken it. Returns its bytes.

        Raises OutputError.
        """
        self._writing = asyncio.create_task(asyncio.to_thread(self._write, image, badge))
        # Also where nobody waits for it any more: a pipe that broke in leaving is no news.
        self._writing.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait({self._writing}, timeout=STALLED_SEC)
        if not done:
            raise _trouble("stalled", "")
        if self._writing.exception() is not None:
            while True:  # the process has gone; its last word says why
                await self._word()
        return self._writing.result()

    def _write(self, image: Image, badge: Badge | None) -> int:
        size = self._size
        fitting = fitted(image, size.width, size.height, size.fit)
        if badge:
            fitting = badge.on(fitting, fresh=fitting is not image)
        picture = np.ascontiguousarray(fitting).data.cast("B")
        sent = 0
        while sent < len(picture):
            sent += os.write(self._sink, picture[sent:])
        return sent

    async def _word(self) -> dict[str, str]:
        """The next thing it says, unless that is an error. Raises OutputError."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            code = await self._process.wait()
            raise _trouble("died", f"signal {-code}" if code < 0 else f"exit status {code}")
        said: dict[str, str] = json.loads(line)
        if "error" in said:
            raise _trouble(said["error"], said["detail"])
        return said

    async def aclose(self) -> None:
        """End the process: by the end of its input, or by force where it does not read."""
        writing = {self._writing} if self._writing is not None else set()
        if writing:
            _, writing = await asyncio.wait(writing, timeout=LEAVE_SEC / 2)
        if not writing:
            os.close(self._sink)
        try:
            async with asyncio.timeout(0 if writing else LEAVE_SEC):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if writing:  # to a broken pipe by now; its number must not be another file's before
            await asyncio.wait(writing)
            os.close(self._sink)


def _widen(sink: int) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # a limit of the system's; slower is all right
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


_HOW_TO_GET_ONE = {
    "linux": (
        "load the driver: sudo apt install v4l2loopback-dkms && sudo modprobe v4l2loopback "
        'exclusive_caps=1 card_label="mien"',
        "加载驱动：sudo apt install v4l2loopback-dkms && sudo modprobe v4l2loopback "
        'exclusive_caps=1 card_label="mien"',
    ),
    "darwin": (
        "install OBS Studio 30 or later and start its virtual camera once, so that macOS asks to "
        "allow it",
        "安装 OBS Studio 30 或更高版本，并启动一次它的虚拟摄像机，以便在系统设置中允许",
    ),
    "win32": (
        "install OBS Studio, which brings the virtual camera, and start it there once",
        "安装 OBS Studio（自带虚拟摄像机），并在其中启动一次",
    ),
}


def _trouble(code: str, detail: str) -> OutputError:
    """What went wrong, for people."""
    how, how_zh = _HOW_TO_GET_ONE.get(sys.platform, _HOW_TO_GET_ONE["linux"])
    if code == "missing_package":
        return OutputError(
            "A virtual camera needs the package pyvirtualcam: pip install 'mien[camera]'",
            code=code,
            zh="虚拟摄像头需要 pyvirtualcam：pip install 'mien[camera]'",
            retryable=False,
        )
    if code == "no_device":
        return OutputError(
            f"There is no virtual camera on this computer; {how}. ({detail})",
            code=code,
            zh=f"本机没有虚拟摄像头，请{how_zh}。（{detail}）",
            retryable=False,
        )
    if code == "device_busy":
        return OutputError(
            "The virtual camera is in use by another program, such as OBS's own; stop it there. "
            f"({detail})",
            code=code,
            zh=f"虚拟摄像头正被其他程序（例如 OBS）占用，请先在那里停止。（{detail}）",
        )
    if code == "stalled":
        return OutputError(
            "The virtual camera takes no pictures any more; trying again with a new one.",
            code=code,
            zh="虚拟摄像头已停止响应，正在重新打开。",
        )
    if code == "died":
        return OutputError(
            f"The process of the virtual camera has ended ({detail}).",
            code="camera_died",
            zh=f"虚拟摄像头进程已退出（{detail}）。",
        )
    return OutputError(
        f"The virtual camera failed: {detail}", code="camera_failed", zh=f"虚拟摄像头出错：{detail}"
    )
