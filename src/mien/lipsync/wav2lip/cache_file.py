"""Records of one size in a file that is mapped into memory, whole or not there at all.

A file is a header of 4096 bytes (what it holds, and checksums) and the records. It is written under
another name and renamed when it is complete and on the disk, so that neither an interruption nor a
second process writing the same can leave or show half of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 4096  # a page, so that records begin where the disk's do
MAGIC = b"mienrec1"
SUFFIX = ".features"
MOST_BYTES = 8_000_000_000  # of all files together; the longest unused go first
SPARE_BYTES = 200_000_000  # a disk is never filled up to the last byte
OLD_SEC = 3600.0  # since a half-made file was last written to: its process was killed
_CHECKED_AT_ONCE = 1 << 24

Records = NDArray[Any]


class CacheError(Exception):
    """Too little room, or none to write to; ``en`` and ``zh`` say so and what to do about it."""

    def __init__(self, code: str, en: str, zh: str) -> None:
        super().__init__(en)
        self.code, self.en, self.zh = code, en, zh


def file_bytes(count: int, record: np.dtype[Any]) -> int:
    """Size of a file with ``count`` records."""
    return HEADER_BYTES + count * record.itemsize


def open_records(
    path: Path, count: int, record: np.dtype[Any], about: dict[str, str]
) -> Records | None:
    """record[count], read-only and mapped; None when the file is not exactly this, undamaged.

    about: what the records are of; the same as when they were written.
    """
    try:
        if path.stat().st_size != file_bytes(count, record):
            return None
        with path.open("rb") as file:
            header = _unpacked(file.read(HEADER_BYTES))
        if header is None or header != _header(count, record, about, str(header.get("crc"))):
            return None
        records = np.memmap(path, record, "r", HEADER_BYTES, (count,))
    except (OSError, ValueError):
        return None
    # Reading it all also brings it into memory before somebody waits for it.
    if _checksum(records) != header["crc"]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used just now
    # A plain array over the same memory: numpy's memmap makes every record dearer.
    return np.asarray(records).view(np.ndarray)


def write_records(
    path: Path,
    count: int,
    record: np.dtype[Any],
    about: dict[str, str],
    blocks: Iterable[Records],
) -> None:
    """Write ``blocks`` of records, ``count`` together, to ``path``; nothing if they are not.

    Raises:
        CacheError: when the disk is full or cannot be written to. Whatever ``blocks`` raises.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_room(path, file_bytes(count, record))
        part = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            _write(part, count, record, about, blocks)
            _put_in_place(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CacheError(
            "cache_unwritable",
            f"{path.parent} cannot be written to: {reason}. Choose another folder for caches "
            '(XDG_CACHE_HOME), or set the lip-sync cache to "ram" or "none".',
            f"无法写入 {path.parent}：{reason}。请更换缓存目录（XDG_CACHE_HOME），"
            "或将口型缓存设为 ram 或 none。",
        ) from error


def _write(
    part: Path,
    count: int,
    record: np.dtype[Any],
    about: dict[str, str],
    blocks: Iterable[Records],
) -> None:
    crc, written = 0, 0
    with part.open("xb") as file:
        file.write(bytes(HEADER_BYTES))
        for block in blocks:
            data = np.ascontiguousarray(block, record).view(np.uint8).data
            file.write(data)
            crc, written = zlib.crc32(data, crc), written + len(block)
        if written != count:
            raise ValueError(f"{written} records were made, not {count}")
        file.seek(0)
        file.write(_packed(_header(count, record, about, f"{crc:08x}")))
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except PermissionError:
        # Windows does not let go of a file that another process has mapped; it is as good as ours.
        if not path.exists():
            raise


def _header(
    count: int, record: np.dtype[Any], about: dict[str, str], crc: str
) -> dict[str, object]:
    return {"about": about, "count": count, "record": str(record.descr), "crc": crc}


def _packed(header: dict[str, object]) -> bytes:
    text = json.dumps(header, sort_keys=True).encode()
    head = MAGIC + len(text).to_bytes(4, "little") + zlib.crc32(text).to_bytes(4, "little")
    if len(head) + len(text) > HEADER_BYTES:
        raise ValueError(f"a header of {len(text)} bytes is too long")
    return (head + text).ljust(HEADER_BYTES, b"\0")


def _unpacked(data: bytes) -> dict[str, object] | None:
    if data[: len(MAGIC)] != MAGIC:
        return None
    begin = len(MAGIC) + 8
    length = int.from_bytes(data[begin - 8 : begin - 4], "little")
    text = data[begin : begin + length]
    if zlib.crc32(text) != int.from_bytes(data[begin - 4 : begin], "little"):
        return None
    header = json.loads(text)
    return header if isinstance(header, dict) else None


def _checksum(records: Records) -> str:
    data, crc = records.view(np.uint8).reshape(-1), 0
    for begin in range(0, len(data), _CHECKED_AT_ONCE):
        crc = zlib.crc32(data[begin : begin + _CHECKED_AT_ONCE].data, crc)
    return f"{crc:08x}"


# -- room on the disk --------------------------------------------------------------------


def prune_others(path: Path, owner: str) -> None:
    """Delete ``owner``'s other files: those named ``<owner>-<16 hexadecimal digits>.features``."""
    theirs = re.compile(re.escape(owner) + r"-[0-9a-f]{16}" + re.escape(SUFFIX))
    for other in path.parent.glob(f"*{SUFFIX}"):
        if other != path and theirs.fullmatch(other.name):
            _delete(other)


def _make_room(path: Path, needed: int) -> None:
    """Delete the longest unused until ``needed`` bytes fit; CacheError if they do not even then."""
    folder, kept = path.parent, []
    for part in folder.glob(f"*{SUFFIX}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > OLD_SEC:
                part.unlink()
    for other in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            kept.append((other.stat().st_mtime, other.stat().st_size, other))
    total = sum(size for _, size, _ in kept)
    for _, size, other in sorted(kept):
        if total + needed <= MOST_BYTES and _free(folder) >= needed + SPARE_BYTES:
            break
        _delete(other)
        total -= size
    if (free := _free(folder)) < needed + SPARE_BYTES:
        raise CacheError(
            "cache_disk_full",
            f"{folder} has {free // 1_000_000} MB left and the lip-sync cache needs "
            f"{(needed + SPARE_BYTES) // 1_000_000} MB. Free some, or set the cache to "
            '"ram" or "none".',
            f"{folder} 仅剩 {free // 1_000_000} MB，口型缓存需要 "
            f"{(needed + SPARE_BYTES) // 1_000_000} MB。请清理磁盘，或将缓存设为 ram 或 none。",
        )


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # in use, where systems do not let go of such a file
        path.unlink()
