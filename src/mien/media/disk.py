"""Writing a file that grows for hours, without ever waiting for the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from loguru import logger

from mien.media.output import OutputError

# Left free for everything else on the machine, and for ending the file properly.
RESERVE_BYTES = 100_000_000
# A disk may take its time (one that has to spin up: 10 s); this long, it hangs.
STALL_SEC = 20.0

# What is written over: offsets and bytes.
Patches = Sequence[tuple[int, bytes]]


class DiskFile:
    """A new file. A thread of its own writes it, in order; methods never block.

    path: its place; if there is a file of that name, the next free of ``name-2``, ``name-3`` ….
    reserve: bytes that stay free on the disk; to begin, twice as many must be.
    done: completes when the file is closed, with the OutputError if it could not be written. What
        was appended whole until then is in the file, and nothing behind it.
    """

    def __init__(self, path: Path, reserve: int = RESERVE_BYTES) -> None:
        self.path = path
        self.size = 0
        self.free: int | None = None
        self._reserve = reserve
        self._jobs: SimpleQueue[Callable[[IO[bytes]], None] | None] = SimpleQueue()
        self._busy_since: float | None = time.monotonic()
        self._loop = asyncio.get_running_loop()
        outcome: Future[None] = Future()
        self.done = asyncio.wrap_future(outcome)
        # A daemon: a disk that hangs must not keep the program from ending.
        threading.Thread(
            target=self._run, args=[outcome], name=f"write {path.name}", daemon=True
        ).start()

    def check(self) -> None:
        """Whether there is a point in appending.

        Raises:
            OutputError: "disk_full" when the reserve is reached, "stalled" when the disk hangs.
        """
        if self.free is not None and self.free < self._reserve:
            raise disk_full()
        since = self._busy_since
        if since is not None and time.monotonic() - since > STALL_SEC:
            raise OutputError(
                f"The disk has taken nothing for {STALL_SEC:.0f} s. Check the drive or the network "
                "folder that recordings are kept in.",
                code="stalled",
                zh=f"磁盘已 {STALL_SEC:.0f} 秒没有响应，请检查录像所在的硬盘或网络文件夹。",
                retryable=False,
            )

    def append(self, data: bytes, then: Callable[[], None] | None = None) -> None:
        """Have ``data`` written at the end. then: called on the event loop once it is."""
        self._jobs.put(partial(self._append, data, then))

    def overwrite(self, patches: Patches) -> None:
        """Have what lies at these offsets replaced."""
        self._jobs.put(partial(_overwrite, patches))

    def close(self, end: Callable[[], tuple[bytes, Patches]] | None = None) -> None:
        """Have the file closed.

        end: called by the thread before that; gives what is appended, even out of the reserve, and
        what is replaced then.
        """
        if end is not None:
            self._jobs.put(partial(self._end, end))
        self._jobs.put(None)

    def _run(self, outcome: Future[None]) -> None:
        try:
            self._write()
        except OSError as error:
            logger.warning(f"recording {self.path}: {error}")
            outcome.set_exception(in_words(error))
        except Exception as error:
            logger.warning(f"recording {self.path}: {error}")
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    def _write(self) -> None:
        file = self._open()
        try:
            with file:
                self._busy_since = None
                while (job := self._jobs.get()) is not None:
                    self._busy_since = time.monotonic()
                    job(file)
                    self._busy_since = None
        finally:
            if not self.size:
                with suppress(OSError):
                    self.path.unlink()

    def _open(self) -> IO[bytes]:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        # Twice: or a disk that hovers about the reserve would be filled with tiny files.
        if shutil.disk_usage(folder).free < 2 * self._reserve:
            raise disk_full()
        wanted = self.path
        for number in count(2):
            try:
                return open(self.path, "xb", buffering=0)
            except FileExistsError:
                self.path = wanted.with_stem(f"{wanted.stem}-{number}")
        raise AssertionError

    def _append(self, data: bytes, then: Callable[[], None] | None, file: IO[bytes]) -> None:
        try:
            file.seek(self.size)
            _write_all(file, data)
        except OSError:
            file.truncate(self.size)
            raise
        self.size += len(data)
        self.free = shutil.disk_usage(self.path.parent).free
        if then is not None:
            with suppress(RuntimeError):  # the event loop has ended meanwhile
                self._loop.call_soon_threadsafe(then)

    def _end(self, end: Callable[[], tuple[bytes, Patches]], file: IO[bytes]) -> None:
        tail, patches = end()
        self._append(tail, None, file)
        _overwrite(patches, file)


def _overwrite(patches: Patches, file: IO[bytes]) -> None:
    for offset, data in patches:
        file.seek(offset)
        _write_all(file, data)


def _write_all(file: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def disk_full() -> OutputError:
    return OutputError(
        "The disk is full; what was recorded until now is kept. Delete recordings or other files, "
        "or choose another folder (recordings.folder).",
        code="disk_full",
        zh="磁盘已满，此前的录像已保存。请删除录像或其他文件，或更换文件夹（recordings.folder）。",
    )


def in_words(error: OSError) -> OutputError:
    """What an operating system's error means for a recording."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full()
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            "mien may not write into the folder for recordings. Give it the right to, or choose "
            "another folder (recordings.folder).",
            code="no_permission",
            zh="没有写入录像文件夹的权限。请授予权限，或更换文件夹（recordings.folder）。",
            retryable=False,
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG):
        return OutputError(
            "The folder for recordings cannot be made where it is set to be. Choose another one "
            "(recordings.folder).",
            code="no_folder",
            zh="无法在设置的位置创建录像文件夹，请更换文件夹（recordings.folder）。",
            retryable=False,
        )
    if error.errno == errno.EFBIG:
        return OutputError(
            "The recording has reached the largest size of a file here; the next one begins.",
            code="file_too_large",
            zh="录像已达到此处单个文件的上限，将从新的文件继续。",
        )
    return OutputError(
        f"The disk does not take the recording: {os.strerror(error.errno or errno.EIO)}.",
        code="disk_error",
        zh=f"无法写入磁盘：{os.strerror(error.errno or errno.EIO)}。",
    )
