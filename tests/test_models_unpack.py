"""Archives unpack whole into their folder, or not at all, whatever is in them."""

from __future__ import annotations

import errno
import hashlib
import random
import stat
import tarfile
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import espeakng_loader
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archives import (
    KINDS,
    compressed,
    long_name_bomb,
    member,
    packed,
    packed_bytes,
    tarred,
    zip_that_lies_about_size,
    zipped,
)
from mien.models.names import safe_path
from mien.models.unpack import ArchiveError, Limits, unpack

RANDOM = random.Random(6)
FILES = {"net.onnx": RANDOM.randbytes(300_000), "data/lang/en-US": b"en", "data/!v/Mr serious": b""}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(tmp_path: Path, data: bytes, limits: Limits | None = None) -> str:
    """What was said of it; nothing is left of it, and nothing lies anywhere else."""
    place = tmp_path / "in" / "side"
    place.mkdir(parents=True, exist_ok=True)
    archive = tmp_path / "in" / "given"
    archive.write_bytes(data)
    with pytest.raises(ArchiveError) as caught:
        unpack(archive, place / "model", limits)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]
    assert not list(place.iterdir())
    assert caught.value.zh and caught.value.zh != caught.value.en
    return caught.value.en


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", ["", "voice-1.0/", "./"])
def test_what_is_packed_comes_out(tmp_path: Path, kind: str, top: str) -> None:
    archive = packed(tmp_path / "a", {top + name: data for name, data in FILES.items()}, kind)
    told: list[float] = []
    found = unpack(archive, tmp_path / "model", on_share=told.append)
    assert tree(tmp_path / "model") == FILES
    assert {file.name: file.sha256 for file in found} == {
        name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()
    }
    assert {file.name: file.size for file in found} == {n: len(d) for n, d in FILES.items()}
    assert told == sorted(told) and 0 <= told[0] and told[-1] == 1 and len(told) > 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "model"]


def test_the_data_of_espeak_which_voices_bring_come_out(tmp_path: Path) -> None:
    data = Path(espeakng_loader.get_data_path())
    archive = tmp_path / "voice.tar.bz2"
    with tarfile.open(archive, "w:bz2", compresslevel=1) as tar:
        for part in ("lang", "voices", "phontab", "en_dict"):
            tar.add(data / part, f"voice/espeak-ng-data/{part}")
    found = unpack(archive, tmp_path / "model")
    assert len(found) > 100
    names = {file.name for file in found}
    assert names == {
        f"espeak-ng-data/{path.relative_to(data).as_posix()}"
        for part in ("lang", "voices", "phontab", "en_dict")
        for path in (data / part, *(data / part).rglob("*"))
        if path.is_file()
    }


LEADING_OUT = ["../evil", "a/../../evil", "/evil", "..", "//evil", "a/..", "C:/evil", "C:evil"]
UNUSABLE = [
    "a\\b",
    "..\\evil",
    "a\nb",
    "NUL",
    "com1.txt",
    "a/aux",
    "end.",
    "end ",
    "a:stream",
    "a?",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LEADING_OUT + UNUSABLE)
def test_no_name_leads_out_or_is_odd(tmp_path: Path, kind: str, name: str) -> None:
    said = refused(tmp_path, packed_bytes({"fine.txt": b"fine", name: b"evil"}, kind))
    assert "cannot be used" in said, said


@pytest.mark.parametrize("name", ["a\udcff", "x/" * 17 + "deep", "l" * 300, "p/" * 250 + "q"])
def test_names_that_systems_cut_are_refused(tmp_path: Path, name: str) -> None:
    data = tarred([(member(name), b"")], format=tarfile.GNU_FORMAT)
    assert "cannot be used" in refused(tmp_path, compressed(data))


def test_a_name_that_ends_early_for_some_is_refused(tmp_path: Path) -> None:
    assert "cannot be used" in refused(tmp_path, zipped([("a.txt\0.exe", b"")]))


def test_a_long_name_is_taken(tmp_path: Path) -> None:
    name = "p/" * 5 + "q" * 250
    for kind in KINDS:
        found = unpack(packed(tmp_path / "a", {"b": b"", name: b""}, kind), tmp_path / kind)
        assert {file.name for file in found} == {"b", name}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("first", "second"),
    [("a.txt", "a.txt"), ("A.txt", "a.TXT"), ("é", "e\u0301"), ("straße", "STRASSE"),
     ("a", "a/b"), ("A/b", "a"), ("a/b/c", "a/B")],
)  # fmt: skip
def test_no_file_takes_the_place_of_another(
    tmp_path: Path, kind: str, first: str, second: str
) -> None:
    entries = [(first, b"1"), (second, b"2")]
    if kind == "zip":
        with warnings.catch_warnings(action="ignore"):  # zipfile does not like to write it
            data = zipped(entries)
    else:
        data = compressed(tarred([(member(name), content) for name, content in entries]), kind)
    said = refused(tmp_path, data)
    assert "twice" in said or "same name" in said


@pytest.mark.parametrize(
    ("type_", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "fine.txt"), (tarfile.SYMTYPE, "../x"),
        (tarfile.LNKTYPE, "fine.txt"), (tarfile.LNKTYPE, "../../x"), (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""), (tarfile.FIFOTYPE, ""), (b"Z", ""), (tarfile.GNUTYPE_SPARSE, ""),
    ],
)  # fmt: skip
def test_only_plain_files_come_out_of_a_tar(tmp_path: Path, type_: bytes, link: str) -> None:
    entries = [(member("fine.txt"), b"fine"), (member("odd", type_, link), b"")]
    said = refused(tmp_path, compressed(tarred(entries), "tar.gz"))
    assert "'odd'" in said and "not a plain file" in said


def test_a_link_cannot_lead_a_later_file_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    entries = [(member("way", tarfile.SYMTYPE, str(outside)), b""), (member("way/in"), b"evil")]
    (tmp_path / "a").write_bytes(compressed(tarred(entries)))
    with pytest.raises(ArchiveError):
        unpack(tmp_path / "a", tmp_path / "model")
    assert not list(outside.iterdir())


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_only_plain_files_come_out_of_a_zip(tmp_path: Path, mode: int) -> None:
    assert "not a plain file" in refused(tmp_path, zipped([("odd", b"/etc/passwd")], mode))


def test_a_zip_with_a_password_or_an_unusual_method_is_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped([("a", b"1")]))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in refused(tmp_path, bytes(raw))
    assert "unusual" in refused(tmp_path, zipped([("a", b"1" * 100)], how=14))


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    bomb = zipped([("z", bytes(80_000_000))])
    assert len(bomb) < 200_000
    assert "no honest archive" in refused(tmp_path, bomb)
    strict = Limits(slack=1_000_000)
    for kind in KINDS:
        for files in ({"z": bytes(3_000_000)}, {f"{i}": bytes(400_000) for i in range(4)}):
            data = packed_bytes(files, kind)
            assert "no honest archive" in refused(tmp_path, data, strict)
    assert "no honest" in refused(tmp_path, packed_bytes({"z": bytes(2000)}), Limits(total=1999))
    a = tmp_path / "fits"
    assert unpack(packed(a, {"z": bytes(2000)}), tmp_path / "model", Limits(total=2000))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    data = packed_bytes({f"{i}": b"" for i in range(21)})
    assert "more than 20 files" in refused(tmp_path, data, Limits(files=20))
    folders = [(member(f"d{i}", tarfile.DIRTYPE), b"") for i in range(21)]
    assert "more than 20 files" in refused(tmp_path, compressed(tarred(folders)), Limits(files=20))


def test_headers_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    data = compressed(long_name_bomb(40_000_000))
    tracemalloc.start()
    said = refused(tmp_path, data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "headers" in said and most < 15_000_000


def test_a_size_that_is_a_lie_is_refused(tmp_path: Path) -> None:
    data = RANDOM.randbytes(5000)
    for said in (0, 10, 4999, 5001, 1 << 31):
        refused(tmp_path, zip_that_lies_about_size(data, said))
    info = member("a")
    info.size = 9000
    refused(tmp_path, compressed(info.tobuf() + data + bytes(120)))
    info.size = -512
    refused(tmp_path, compressed(info.tobuf(tarfile.GNU_FORMAT) + data))


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_is_cut_is_refused(tmp_path: Path, kind: str) -> None:
    data = packed_bytes(FILES, kind)
    for end in {0, 1, 3, 4, 20, len(data) // 2, len(data) - 9, len(data) - 4, len(data) - 1}:
        refused(tmp_path, data[:end])


@pytest.mark.parametrize(
    "data", [b"", b"Dear Sir", b"BZh9", b"\x1f\x8b", b"PK\x03\x04", bytes(9999)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, data)


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    assert "no files" in refused(tmp_path, compressed(tarred([])))
    assert "no files" in refused(
        tmp_path, compressed(tarred([(member("d", tarfile.DIRTYPE), b"")]))
    )


def test_who_stops_it_gets_their_own_error_and_nothing_is_left(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a", FILES)
    for error in (ValueError("enough"), OSError("enough"), KeyboardInterrupt()):

        def stop(share: float, error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            unpack(archive, tmp_path / "model", on_share=stop)
        assert caught.value is error
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_was_half_unpacked_when_the_power_went_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".model.unpacking").mkdir()
    (tmp_path / ".model.unpacking" / "net.onnx").write_bytes(b"half")
    unpack(packed(tmp_path / "a", FILES), tmp_path / "model")
    assert tree(tmp_path / "model") == FILES


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit of Unix")
    archive = packed(tmp_path / "a", FILES)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            unpack(archive, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


ODD = st.text(st.sampled_from("ab./\\:~ \0é"), min_size=1, max_size=12)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(ODD, min_size=1, max_size=5), kind=st.sampled_from(KINDS))
@example(names=["./../x"], kind="tar.gz")
def test_whatever_the_names_are_nothing_leaves_the_folder(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], kind: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("odd")
    archive = packed(tmp_path / "a", dict.fromkeys(names, b"x"), kind)
    try:
        found = unpack(archive, tmp_path / "deep" / "model")
    except ArchiveError:
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]
        return
    inside = tmp_path / "deep" / "model"
    assert {inside / file.name for file in found} | {archive} == {
        path for path in tmp_path.rglob("*") if path.is_file()
    }
    assert all(str(safe_path(file.name)) == file.name for file in found)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_a_damaged_archive_is_refused_or_comes_out_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("damaged")
    raw = bytearray(packed_bytes({"top/a.txt": b"alpha" * 50, "top/b.txt": b"beta"}, kind))
    hits: Any = st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=4)
    for at, value in data.draw(hits):
        raw[at] = value
    (tmp_path / "a").write_bytes(raw)
    try:
        found = unpack(tmp_path / "a", tmp_path / "model")
    except ArchiveError:
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
        return
    assert tree(tmp_path / "model").keys() == {file.name for file in found}
    for name, content in tree(tmp_path / "model").items():
        assert hashlib.sha256(content).hexdigest() in {f.sha256 for f in found if f.name == name}
