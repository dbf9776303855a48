"""Archives made by hand: honest ones, and such as no program would make."""

from __future__ import annotations

import bz2
import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, bytes]
KINDS = ("tar.bz2", "tar.gz", "zip")


def packed(path: Path, files: Files, kind: str = "tar.bz2") -> Path:
    """An archive of plain files, in the order given."""
    path.write_bytes(packed_bytes(files, kind))
    return path


def packed_bytes(files: Files, kind: str = "tar.bz2") -> bytes:
    if kind == "zip":
        return zipped([(name, data) for name, data in files.items()])
    return compressed(tarred([(member(name), data) for name, data in files.items()]), kind)


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def tarred(members: list[tuple[tarfile.TarInfo, bytes]], **how: int) -> bytes:
    """Names may be anything."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", errors="surrogateescape", **how) as tar:  # type: ignore[call-overload]
        for info, data in members:
            info.size = info.size or len(data)
            if info.isreg():
                tar.addfile(info, io.BytesIO(data))
            else:
                tar.addfile(info)
    return out.getvalue()


def compressed(data: bytes, kind: str = "tar.bz2") -> bytes:
    return bz2.compress(data) if kind == "tar.bz2" else gzip.compress(data, mtime=0)


def zipped(
    entries: list[tuple[str, bytes]], mode: int = stat.S_IFREG | 0o644, how: int = 8
) -> bytes:
    """``how``: zip's number of the compression."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo("tidied")
            info.filename = name
            info.external_attr, info.compress_type = mode << 16, how
            archive.writestr(info, data)
    return out.getvalue()


def zip_that_lies_about_size(data: bytes, said: int) -> bytes:
    """Its one file is said to have ``said`` bytes."""
    raw = bytearray(zipped([("a.bin", data)]))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(signature) + offset, said)
    return bytes(raw)


def long_name_bomb(size: int) -> bytes:
    """A tar whose first entry has a name of ``size`` bytes; readers take it into memory whole."""
    info = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(size)
