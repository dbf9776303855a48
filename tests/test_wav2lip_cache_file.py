"""Files of records: whole or not there, checked, and no larger than the disk allows."""

import mmap
import multiprocessing
import os
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.lipsync.wav2lip import cache_file
from mien.lipsync.wav2lip.cache_file import (
    HEADER_BYTES,
    OLD_SEC,
    CacheError,
    file_bytes,
    open_records,
    prune_others,
    write_records,
)

RECORD = np.dtype([("features", np.float16, (200,)), ("rest", np.uint8, (5, 7, 3))])
ABOUT = {"faces": "abc", "weights": "def"}
COUNT = 50


def records(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.zeros(COUNT, RECORD)
    made["features"] = rng.normal(size=(COUNT, 200))
    made["rest"] = rng.integers(0, 255, (COUNT, 5, 7, 3))
    return made


def write(path: Path, seed: int = 0) -> None:
    write_records(path, COUNT, RECORD, ABOUT, np.array_split(records(seed), 7))


def opened(path: Path) -> np.ndarray | None:
    return open_records(path, COUNT, RECORD, ABOUT)


def test_what_is_written_is_read_back_without_being_copied_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mei.features"
    write(path)
    read = opened(path)
    assert read is not None
    np.testing.assert_array_equal(read, records())
    assert path.stat().st_size == file_bytes(COUNT, RECORD)
    assert not read.flags.writeable
    memory = read
    while isinstance(memory, np.ndarray):
        memory = memory.base
    assert isinstance(memory, mmap.mmap)


def test_other_records_are_not_taken_for_these(tmp_path: Path) -> None:
    path = tmp_path / "mei.features"
    write(path)
    assert open_records(path, COUNT, RECORD, {**ABOUT, "weights": "other"}) is None
    assert open_records(path, COUNT - 1, RECORD, ABOUT) is None
    same_size = np.dtype([("features", np.int16, (200,)), ("rest", np.uint8, (5, 7, 3))])
    assert open_records(path, COUNT, same_size, ABOUT) is None
    assert opened(tmp_path / "lin.features") is None


@pytest.mark.parametrize(
    "place", [0, 9, 13, 20, 100, HEADER_BYTES, HEADER_BYTES + 12_345, -1], ids=lambda at: f"at {at}"
)
def test_one_damaged_byte_is_noticed(tmp_path: Path, place: int) -> None:
    path = tmp_path / "mei.features"
    write(path)
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
    assert opened(path) is None


@pytest.mark.parametrize("size", [0, 7, 100, HEADER_BYTES, -1])
def test_a_shortened_file_is_noticed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "mei.features"
    write(path)
    path.write_bytes(path.read_bytes()[:size])
    assert opened(path) is None


def test_a_foreign_file_of_the_right_size_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "mei.features"
    path.write_bytes(os.urandom(file_bytes(COUNT, RECORD)))
    assert opened(path) is None


@pytest.mark.parametrize("wrong", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_writing_leaves_nothing(tmp_path: Path, wrong: type[BaseException]) -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield records()[:20]
        raise wrong

    with pytest.raises(wrong):
        write_records(tmp_path / "mei.features", COUNT, RECORD, ABOUT, blocks())
    assert not list(tmp_path.iterdir())


def test_an_interrupted_writing_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "mei.features"
    write(path)
    with pytest.raises(ValueError, match="20 records were made, not 50"):
        write_records(path, COUNT, RECORD, ABOUT, [records(1)[:20]])
    np.testing.assert_array_equal(opened(path), records())
    assert list(tmp_path.iterdir()) == [path]


def _write_often(path: Path, times: int) -> None:
    for _ in range(times):
        write(path)


def test_two_processes_writing_at_once_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "mei.features"
    write(path)
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_often, args=(path, 20)) for _ in range(2)]
    expected, looks = records(), 0
    try:
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            np.testing.assert_array_equal(opened(path), expected)
            looks += 1
            time.sleep(0.005)  # who only looks leaves no time to write on a busy machine
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert looks > 0
    assert list(tmp_path.iterdir()) == [path]


# -- room --------------------------------------------------------------------------------


def test_only_the_same_owners_other_files_are_pruned(tmp_path: Path) -> None:
    names = {
        name: tmp_path / f"{name}.features"
        for name in (
            "mei-0123456789abcdef",
            "mei-fedcba9876543210",
            "mei-2-0123456789abcdef",
            "lin-0123456789abcdef",
            "mei-short",
        )
    }
    for path in names.values():
        write(path)
    prune_others(names["mei-0123456789abcdef"], "mei")
    left = {path.stem for path in tmp_path.iterdir()}
    assert left == set(names) - {"mei-fedcba9876543210"}


def test_remains_of_a_killed_process_are_removed_but_not_work_in_progress(tmp_path: Path) -> None:
    dead, alive = tmp_path / "a.features.1-00.part", tmp_path / "b.features.2-00.part"
    for part in (dead, alive):
        part.write_bytes(b"half")
    os.utime(dead, (time.time() - OLD_SEC - 60,) * 2)
    write(tmp_path / "mei.features")
    assert not dead.exists()
    assert alive.exists()


def test_the_longest_unused_files_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = file_bytes(COUNT, RECORD)
    monkeypatch.setattr(cache_file, "MOST_BYTES", 3 * size)
    paths = [tmp_path / f"{name}.features" for name in "abcd"]
    for age, path in zip((30, 20, 10), paths, strict=False):
        write(path)
        os.utime(path, (time.time() - age,) * 2)
    assert opened(paths[0]) is not None  # used again just now
    write(paths[3])
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_a_full_disk_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cache_file.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10_000))

    def blocks() -> Iterator[np.ndarray]:
        raise AssertionError("nothing should be made for a full disk")
        yield

    with pytest.raises(CacheError, match=r"0 MB left .* needs 200 MB.*\"none\"") as caught:
        write_records(tmp_path / "mei.features", COUNT, RECORD, ABOUT, blocks())
    assert caught.value.code == "cache_disk_full"
    assert "200 MB" in caught.value.zh and "口型缓存" in caught.value.zh
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot be written to.*XDG_CACHE_HOME") as caught:
        write(tmp_path / "file" / "mei.features")
    assert caught.value.code == "cache_unwritable"
