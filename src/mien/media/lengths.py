"""How long a recording is, read from a few bytes of the file; also of one that was cut off."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mien.media.mp4_boxes import AUDIO_CLOCK, EPOCH, VIDEO_CLOCK, VIDEO_ID
from mien.media.webm import EPOCH as WEBM_EPOCH

# What lies about a file's inside is not followed any further.
_MOST_BYTES = 4_000_000
_LONGEST_SEC = 1e9
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Described:
    """What a file says of itself; None for what it does not say, or not in our way."""

    seconds: float | None = None
    created: datetime | None = None


def described(path: Path) -> Described:
    """Read an MP4 or WebM. A file that is neither says nothing. Raises OSError."""
    with open(path, "rb") as file:
        try:
            found = _webm(file) if path.suffix == ".webm" else _mp4(file)
        except (struct.error, ValueError, LookupError, ArithmeticError):
            return Described()
    if found.seconds is None or 0 <= found.seconds < _LONGEST_SEC:  # and not "not a number"
        return found
    return Described(None, found.created)


def _mp4(file: BinaryIO) -> Described:
    """The length is in the movie's header, or where the last whole fragment ends."""
    size = os.fstat(file.fileno()).st_size
    found = Described()
    fragment: tuple[int, int] | None = None
    last: tuple[int, int] | None = None
    for kind, start, end in _boxes(file, 0, size):
        if kind == b"moov":
            header = _read(file, start, min(end, start + 128))
            if header[4:8] != b"mvhd" or header[8] != 1:
                return found
            created, _, clock, duration = struct.unpack_from(">QQIQ", header, 12)
            when = _1970 + timedelta(seconds=created - EPOCH) if created else None
            found = Described(duration / clock if duration else None, when)
            if duration:
                return found
        elif kind == b"moof":
            fragment = start, end
        elif kind == b"mdat" and fragment is not None:
            last, fragment = fragment, None
    return Described(_fragment_end(file, *last) if last else None, found.created)


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the contents begin and end, of those that are there whole."""
    while start + 8 <= end:
        head = _read(file, start, min(end, start + 16))
        size, kind = struct.unpack_from(">I4s", head)
        inside = 8
        if size == 1:
            (size,), inside = struct.unpack_from(">Q", head, 8), 16
        if size < inside or start + size > end:
            return
        yield kind, start + inside, start + size
        start += size


def _fragment_end(file: BinaryIO, start: int, end: int) -> float | None:
    ends: list[float] = []
    for kind, inside, outside in _boxes(file, start, end):
        if kind != b"traf":
            continue
        parts = {k: _read(file, a, b) for k, a, b in _boxes(file, inside, outside)}
        (track,) = struct.unpack_from(">I", parts[b"tfhd"], 4)
        (begin,) = struct.unpack_from(">Q", parts[b"tfdt"], 4)
        flags, count = struct.unpack_from(">II", parts[b"trun"])
        if flags != 0x701:  # not written by us
            return None
        durations = struct.unpack_from(f">{count * 3}I", parts[b"trun"], 12)[::3]
        ends.append((begin + sum(durations)) / (VIDEO_CLOCK if track == VIDEO_ID else AUDIO_CLOCK))
    return max(ends)


def _webm(file: BinaryIO) -> Described:
    """The length so far is in the information at the front, also of one that was cut off."""
    size = os.fstat(file.fileno()).st_size
    _, (segment, inside, end) = islice(_elements(file, 0, size), 2)
    if segment != 0x18538067:
        return Described()
    for kind, start, stop in _elements(file, inside, end):
        if kind == 0x1549A966:
            parts = {k: _read(file, a, b) for k, a, b in _elements(file, start, stop)}
            since = struct.unpack(">q", parts[0x4461])[0] if 0x4461 in parts else None
            created = None if since is None else WEBM_EPOCH + timedelta(microseconds=since // 1000)
            length = parts.get(0x4489, b"")
            form = {4: ">f", 8: ">d"}.get(len(length))
            return Described(struct.unpack(form, length)[0] / 1000 if form else None, created)
    return Described()


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, and where the contents begin and end, of those that are there whole. One of unknown
    size goes to the end."""
    while start < end:
        head = _read(file, start, min(end, start + 12))
        wide = 9 - head[0].bit_length()
        kind = int.from_bytes(head[:wide], "big")
        length = 9 - head[wide].bit_length()
        size = int.from_bytes(head[wide : wide + length], "big") & (1 << 7 * length) - 1
        inside = start + wide + length
        stop = end if size == (1 << 7 * length) - 1 else inside + size
        if stop > end:
            return
        yield kind, inside, stop
        start = stop


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    """Raises ValueError for more than is sensible."""
    if end - start > _MOST_BYTES:
        raise ValueError("this is no file of ours")
    file.seek(start)
    return file.read(end - start)
