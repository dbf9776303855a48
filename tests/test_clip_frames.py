"""The clip's pictures at the size they are shown in, and what keeps them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.avatar.clip import frames as frames_module
from mien.avatar.clip.frames import Cache, forget_frames, frames_bytes, open_frames
from mien.avatar.clip.package import ClipPackage, read_clip
from mien.avatar.clip.shot import Shot, frame_shot
from mien.avatar.errors import AvatarError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's cache folder, elsewhere and empty."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(frames_module, "cache_folder", lambda: folder)
    yield folder


@pytest.fixture
def package(filmed_folder: Path) -> ClipPackage:
    return read_clip(filmed_folder)


def shot(package: ClipPackage, size: tuple[int, int] = (160, 160)) -> Shot:
    return frame_shot(size, package.size, package.focus, 300.0)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("kind", ["ram", "disk"])
def test_every_cache_shows_what_is_decoded(cache: Path, package: ClipPackage, kind: Cache) -> None:
    decoded = open_frames(package, shot(package), "none")
    kept = open_frames(package, shot(package), kind)
    for frame in range(len(package)):
        assert np.array_equal(kept[frame], decoded[frame])
        assert not kept[frame].flags.writeable and not decoded[frame].flags.writeable
    assert bool(files(cache)) == (kind == "disk")


def test_own_size_is_the_files_own_pixels(cache: Path, package: ClipPackage) -> None:
    kept = open_frames(package, shot(package, package.size), "disk")
    bgr = cv2.imread(str(package.pictures[7]))
    assert bgr is not None and np.array_equal(kept[7], bgr[..., ::-1])


def test_size_is_known_before(cache: Path, package: ClipPackage) -> None:
    needed = frames_bytes(package, (160, 160))
    open_frames(package, shot(package), "disk")
    (file,) = files(cache)
    assert needed == 24 * 160 * 160 * 3 and 0 <= file.stat().st_size - needed < 256


def test_next_start_reads_what_is_there(cache: Path, package: ClipPackage) -> None:
    told: list[float] = []
    open_frames(package, shot(package), "disk", told.append)
    assert told[0] == 0 and told[-1] == 1 and told == sorted(told)
    (file,) = files(cache)
    written = file.stat().st_mtime_ns
    os.utime(file, (1, 1))
    again: list[float] = []
    kept = open_frames(read_clip(package.path), shot(package), "disk", again.append)
    assert not again and file.stat().st_mtime_ns >= written  # found, and marked as used
    assert np.array_equal(kept[3], open_frames(package, shot(package), "none")[3])


def test_sizes_and_clips_have_files_of_their_own(
    cache: Path, package: ClipPackage, tmp_path: Path
) -> None:
    open_frames(package, shot(package), "disk")
    open_frames(package, shot(package, (160, 120)), "disk")
    other = Path(shutil.copytree(package.path, tmp_path / "other"))
    shutil.copy(other / "frames/00000.jpg", other / "frames/00001.jpg")
    theirs = read_clip(other)
    open_frames(theirs, shot(theirs), "disk")
    assert len(files(cache)) == 3
    forget_frames(package)
    assert len(files(cache)) == 1
    forget_frames(theirs)
    assert not files(cache)


@pytest.mark.parametrize("damage", ["short", "garbage", "shape", "empty"])
def test_a_damaged_file_is_made_again(cache: Path, package: ClipPackage, damage: str) -> None:
    good = np.array(open_frames(package, shot(package), "disk")[0])
    (file,) = files(cache)
    data = file.read_bytes()
    if damage == "short":
        file.write_bytes(data[:-5000])
    elif damage == "garbage":
        file.write_bytes(data[:5000] + bytes(len(data) - 5000))
    elif damage == "shape":
        np.save(file, np.zeros((24, 8, 8, 3), np.uint8))
    else:
        file.write_bytes(b"")
    assert np.array_equal(open_frames(package, shot(package), "disk")[0], good)
    assert file.read_bytes() == data


@pytest.mark.parametrize("kind", ["ram", "disk"])
def test_stopping_leaves_nothing_half_made(cache: Path, package: ClipPackage, kind: Cache) -> None:
    class StopError(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.5:
            raise StopError

    with pytest.raises(StopError):
        open_frames(package, shot(package), kind, stop)
    assert not files(cache)


def test_a_damaged_picture_is_named(cache: Path, package: ClipPackage, tmp_path: Path) -> None:
    broken = read_clip(Path(shutil.copytree(package.path, tmp_path / "broken")))
    broken.pictures[13].write_bytes(b"\xff\xd8 nothing \xff\xd9")
    with pytest.raises(AvatarError, match=r"00013\.jpg is damaged"):
        open_frames(broken, shot(broken), "disk")
    assert not files(cache)


def test_the_longest_unused_go_first(
    cache: Path, package: ClipPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [(160, 160), (160, 120), (120, 160)]
    for age, size in enumerate(sizes[:2]):
        open_frames(package, shot(package, size), "disk")
        newest = max(files(cache), key=lambda f: f.stat().st_mtime_ns)
        os.utime(newest, (1000 + age, 1000 + age))
    first, second = sorted(files(cache), key=lambda f: f.stat().st_mtime)
    (cache / "killed.1-2.part").write_bytes(b"x")
    os.utime(cache / "killed.1-2.part", (1000, 1000))
    room = sum(frames_bytes(package, size) for size in sizes[1:]) + 10_000
    monkeypatch.setattr(frames_module, "MOST_BYTES", room)
    open_frames(package, shot(package, sizes[2]), "disk")
    left = files(cache)
    assert first not in left and second in left and len(left) == 2


def test_a_full_disk_is_told(
    cache: Path, package: ClipPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames_module, "SPARE_BYTES", 10**18)
    with pytest.raises(AvatarError, match="MB left; the clip's pictures need 1 MB"):
        open_frames(package, shot(package), "disk")
    assert not files(cache)


def test_a_folder_that_cannot_be_written_is_told(cache: Path, package: ClipPackage) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(AvatarError, match='set the cache to "none" or "ram"'):
        open_frames(package, shot(package), "disk")


def test_threads_making_the_same_file_agree(cache: Path, package: ClipPackage) -> None:
    together = threading.Barrier(4)

    def one() -> bytes:
        together.wait()
        return open_frames(package, shot(package), "disk")[11].tobytes()

    with ThreadPoolExecutor(4) as pool:
        found = {task.result() for task in [pool.submit(one) for _ in range(4)]}
    assert len(found) == 1 and len(files(cache)) == 1
