"""Disks that are full, forbidden, limited or hang: exact errors, and nothing written is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PosixPath

import pytest

from mien.media import disk
from mien.media.disk import DiskFile
from mien.media.lengths import described
from mien.media.output import OutputError
from mien.media.program import Program
from mien.media.recorder import Mp4Recorder, WebmRecorder
from played import played
from ticking import FlashBeep


async def _closed(file: DiskFile) -> None:
    async with asyncio.timeout(20):
        await file.done


async def test_what_is_appended_arrives_in_order(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "new" / "folder" / "a.mp4", reserve=0)
    begun = asyncio.Event()
    file.append(b"head", begun.set)
    for number in range(100):
        file.append(bytes([number]) * 1000)
    async with asyncio.timeout(20):
        await begun.wait()
    file.close(lambda: (b"tail", [(0, b"HE")]))
    await _closed(file)
    data = file.path.read_bytes()
    assert data == b"HEad" + b"".join(bytes([n]) * 1000 for n in range(100)) + b"tail"
    assert file.size == len(data)


async def test_no_file_is_ever_written_over(tmp_path: Path) -> None:
    for _ in range(3):
        file = DiskFile(tmp_path / "a.mp4", reserve=0)
        file.append(b"x")
        file.close()
        await _closed(file)
    assert sorted(os.listdir(tmp_path)) == ["a-2.mp4", "a-3.mp4", "a.mp4"]


async def test_nothing_recorded_leaves_no_file(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "a.mp4", reserve=0)
    file.close()
    await _closed(file)
    assert not os.listdir(tmp_path)


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nobody here may write; root may not in /sys."""
    if os.geteuid() == 0:
        yield Path("/sys/kernel/mien")
        return
    tmp_path.chmod(0o500)
    yield tmp_path / "mien"
    tmp_path.chmod(0o700)


async def test_without_the_right_to_write(forbidden: Path) -> None:
    file = DiskFile(forbidden / "a.mp4", reserve=0)
    with pytest.raises(OutputError, match="may not write") as caught:
        await _closed(file)
    assert caught.value.code == "no_permission" and not caught.value.retryable
    assert "权限" in caught.value.zh


async def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("I am a file")
    file = DiskFile(tmp_path / "taken" / "a.mp4", reserve=0)
    with pytest.raises(OutputError) as caught:
        await _closed(file)
    assert caught.value.code == "no_folder"


async def test_below_the_reserve_nothing_begins(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "a.mp4", reserve=1 << 60)
    with pytest.raises(OutputError) as caught:
        await _closed(file)
    assert caught.value.code == "disk_full" and caught.value.retryable
    assert not os.listdir(tmp_path)


# More than a second of flashes and beeps.
ROOM = 8_192
RESERVE = 40_960


class SlowPath(PosixPath):
    """On a disk that has to spin up first."""

    up = threading.Event()

    def mkdir(self, *arguments: object, **options: object) -> None:
        assert self.up.wait(20)
        super().mkdir(*arguments, **options)  # type: ignore[arg-type]


async def test_a_disk_that_hangs_is_noticed_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "STALL_SEC", 0.1)
    file = DiskFile(SlowPath(tmp_path / "deep" / "a.mp4"), reserve=0)
    file.check()
    file.append(b"what waits")
    await asyncio.sleep(0.15)
    with pytest.raises(OutputError) as caught:
        file.check()
    assert caught.value.code == "stalled"
    file.close(lambda: (b", arrives", []))
    SlowPath.up.set()
    await _closed(file)
    assert file.path.read_bytes() == b"what waits, arrives"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "mien", str(folder)]
    with suppress(FileNotFoundError):
        if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
            yield folder
            subprocess.run(["umount", "-l", str(folder)], check=True)
            return
    pytest.skip("mounting a small disk takes root's rights")


async def test_a_full_disk_ends_its_recording_and_no_other(
    small_disk: Path, tmp_path: Path
) -> None:
    """The first runs into the end of the disk, the second stops in time, the third goes on."""
    size = 320, 240
    with ThreadPoolExecutor(2) as executor:
        program = Program(FlashBeep(size), size, executor)
        running = asyncio.create_task(program.run())
        full = Mp4Recorder(small_disk / "full.mp4", reserve=0)
        other = WebmRecorder(tmp_path / "other.webm")
        goes_on = asyncio.create_task(other.run(program, lambda: None))
        await _runs_out(full.run(program, lambda: _fill(small_disk, ROOM)))
        (small_disk / "filler").unlink()
        in_time = Mp4Recorder(small_disk / "in_time.mp4", reserve=RESERVE)
        await _runs_out(in_time.run(program, lambda: _fill(small_disk, RESERVE + ROOM)))
        assert not goes_on.done()
        goes_on.cancel()
        await asyncio.gather(goes_on, return_exceptions=True)
        running.cancel()
    for recorder in (full, in_time, other):
        assert recorder.path is not None
        seen = played(recorder.path)
        assert seen.cuts == {}
        assert seen.offset <= 0.002
        assert described(recorder.path).seconds == pytest.approx(seen.video_end, abs=0.045)
    assert _is_finished(in_time.path) and not _is_finished(full.path)


async def _runs_out(recording: Coroutine[None, None, None]) -> None:
    with pytest.raises(OutputError) as caught:
        async with asyncio.timeout(60):
            await recording
    assert caught.value.code == "disk_full"


def _fill(folder: Path, left: int) -> None:
    """Something else takes the space."""
    (folder / "filler").write_bytes(bytes(shutil.disk_usage(folder).free - left))


def _is_finished(path: Path | None) -> bool:
    assert path is not None
    return path.read_bytes()[:48].find(b"mdat") > 0


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from mien.media.disk import DiskFile

async def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    file = DiskFile(Path(sys.argv[1]), reserve=0)
    for part in b"one", b"two", b"three":
        file.append(part * 500)
    try:
        await file.done
    except Exception as error:
        print(error.code, error.retryable, file.size)

asyncio.run(main())
"""


def test_the_largest_size_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["file_too_large", "True", "3000"]
    assert path.read_bytes() == b"one" * 500 + b"two" * 500
