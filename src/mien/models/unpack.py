"""Unpacking other people's archives: only plain files, only into their folder, no larger than said.

tar.gz, tar.bz2 and zip, told by their first bytes. Nothing is loaded whole, nothing in an archive
is believed: its names (``names.safe_path``), its sizes (counted while they are written), its links
(there are none in a model). Python's own "data" filter is asked too.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from mien.models.names import Tree, safe_path
from mien.models.zip_folder import folder_bytes

CHUNK = 1 << 18
HEADER_BYTES = 1 << 20
"""A tar's long names are read whole into memory; this is 2000 times what they need."""

DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    LookupError,
    NotImplementedError,
    RuntimeError,
)
OnShare = Callable[[float], None]
OnBytes = Callable[[int], None]


class ArchiveError(ValueError):
    """The archive is damaged, or has something in it that does not belong into a model.

    en, zh: what is wrong, as the rest of a sentence.
    """

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


@dataclass(frozen=True, slots=True)
class Limits:
    """What one archive may become.

    total: bytes of all its files. ratio: the same, as a multiple of the archive's size (networks
    pack to 0.8, word lists to 0.2, bombs to 0.001). slack: bytes that are always allowed. files:
    how many, folders included (espeak-ng's data are 400).
    """

    total: int = 64 << 30
    ratio: float = 20.0
    slack: int = 64 << 20
    files: int = 20_000

    def bytes_of(self, archive: Path) -> int:
        return min(self.total, int(archive.stat().st_size * self.ratio) + self.slack)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file that was in the archive. name: below the folder, with "/". size: bytes."""

    name: str
    size: int
    sha256: str


class _Ended(BaseException):
    """What the caller raised to end the work; not to be taken for damage of the archive."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Member(Protocol):
    """One entry of an archive. raw: the name as it stands there. size: bytes, as it says."""

    raw: str
    is_folder: bool
    size: int

    def copy(self, target: IO[bytes], on_bytes: OnBytes) -> tuple[int, str]: ...


def unpack(
    archive: Path, folder: Path, limits: Limits | None = None, on_share: OnShare | None = None
) -> list[Unpacked]:
    """Unpack into ``folder``, which must not exist; afterwards it does, whole, or does not.

    If all lies in a single folder at the archive's top, that one becomes ``folder``.
    on_share: called with the share 0…1 of the archive that is read; what it raises ends the work.

    Raises ArchiveError; OSError where the disk is full.
    """
    limits, tell = limits or Limits(), on_share or (lambda share: None)
    beside = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        files = _unpack_into(beside, archive, limits, _guarded(tell))
        top, files = _without_top(beside, files)
        top.replace(folder)
        return files
    except _Ended as ended:
        raise ended.error from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _guarded(tell: OnShare) -> OnShare:
    def guarded(share: float) -> None:
        try:
            tell(share)
        except Exception as error:
            raise _Ended(error) from None

    return guarded


def _unpack_into(folder: Path, archive: Path, limits: Limits, tell: OnShare) -> list[Unpacked]:
    tree, files, count = Tree(), list[Unpacked](), 0
    most = left = limits.bytes_of(archive)
    with _opened(archive) as (members, share):

        def room(wanted: int) -> None:
            if wanted > left:
                raise ArchiveError(
                    f"it unpacks to more than {most / 1e6:.0f} MB, which no honest archive of its "
                    "size does",
                    f"解压后超过 {most / 1e6:.0f} MB，与其大小不相称",
                )

        def on_bytes(written: int) -> None:
            nonlocal left
            room(written)
            left -= written
            tell(share())

        for member in members:
            count += 1
            if count > limits.files:
                raise ArchiveError(
                    f"it has more than {limits.files} files", f"文件数超过 {limits.files}"
                )
            path = _checked(member, tree)
            if path is None:
                continue
            target = folder.joinpath(*path.parts)
            if member.is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            room(member.size)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as file:
                size, sha256 = member.copy(file, on_bytes)
            files.append(Unpacked(str(path), size, sha256))
    if not files:
        raise ArchiveError("it has no files in it", "其中没有文件")
    tell(1.0)
    return files


def _checked(member: _Member, tree: Tree) -> PurePosixPath | None:
    """The entry's place; None for the folder that everything lies in ("./")."""
    if member.is_folder and member.raw in (".", "./"):
        return None
    try:
        path = safe_path(member.raw.rstrip("/") if member.is_folder else member.raw)
        tree.folder(path) if member.is_folder else tree.file(path)
    except ValueError as error:
        name = repr(member.raw[:80])
        raise ArchiveError(
            f"the name {name} in it cannot be used: {error}", f"其中的文件名 {name} 不可用：{error}"
        ) from None
    return path


def _without_top(folder: Path, files: list[Unpacked]) -> tuple[Path, list[Unpacked]]:
    """The folder that the files really lie in, and their names below it."""
    entries = list(folder.iterdir())
    if len(entries) != 1 or not entries[0].is_dir():
        return folder, files
    cut = len(entries[0].name) + 1
    return entries[0], [Unpacked(file.name[cut:], file.size, file.sha256) for file in files]


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[Iterator[_Member], Callable[[], float]]]:
    """The archive's entries, and the share 0…1 of it that is read. Every way in which it can be
    damaged is an ArchiveError."""
    total = max(1, archive.stat().st_size)
    with open(archive, "rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        try:
            if start[:3] == b"BZh":
                members = _tar_members(_Metered(bz2.BZ2File(raw)))
            elif start[:2] == b"\x1f\x8b":
                members = _tar_members(_Metered(gzip.GzipFile(fileobj=raw)))
            elif start == b"PK\x03\x04":
                members = _zip_members(raw)
            else:
                raise ArchiveError(
                    "it is neither a tar.gz, a tar.bz2 nor a zip",
                    "不是 tar.gz、tar.bz2 或 zip 文件",
                )
            yield members, lambda: min(1.0, raw.tell() / total)
        except ArchiveError:
            raise
        except OSError as error:
            # Decompressors report damage as an OSError without a number, or seek to nowhere.
            if error.errno not in (None, errno.EINVAL):
                raise
            raise ArchiveError(f"it is damaged: {error}", f"文件已损坏：{error}") from error
        except DAMAGE as error:
            said = str(error) or type(error).__name__
            raise ArchiveError(
                f"it is damaged or ends too early: {said}", f"文件已损坏或不完整：{said}"
            ) from error


class _Metered:
    """What a tar is read from; never more at a time than ``allow`` has allowed."""

    def __init__(self, stream: bz2.BZ2File | gzip.GzipFile) -> None:
        self._stream, self._left = stream, HEADER_BYTES

    def allow(self, count: int) -> None:
        self._left = count

    def read(self, count: int) -> bytes:
        # tarfile asks in small blocks, but may put gigabytes of them together.
        data = self._stream.read(count)
        self._left -= len(data)
        if self._left < 0:
            raise _headers()
        return data


class _TarMember:
    def __init__(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        self._tar, self._info = tar, info
        self.raw, self.is_folder, self.size = info.name, info.isdir(), info.size

    def copy(self, target: IO[bytes], on_bytes: OnBytes) -> tuple[int, str]:
        if hasattr(tarfile, "data_filter"):
            tarfile.data_filter(self._info, ".")
        source = self._tar.extractfile(self._info)
        if source is None:
            raise _odd(self.raw)
        return _copy(source, target, on_bytes, self.size)


def _tar_members(metered: _Metered) -> Iterator[_Member]:
    with tarfile.open(fileobj=metered, mode="r|") as tar:  # type: ignore[call-overload]
        while (info := tar.next()) is not None:
            plain = info.isreg() and not info.issparse() and info.size >= 0
            if not (plain or (info.isdir() and info.size == 0)):
                raise _odd(info.name)
            metered.allow(info.size + HEADER_BYTES)
            yield _TarMember(tar, info)
            metered.allow(HEADER_BYTES)
        while metered.read(1 << 13):  # the checksum comes last
            pass


class _ZipMember:
    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        # What zipfile calls the name has been tidied already.
        self.raw, self.is_folder, self.size = info.orig_filename, info.is_dir(), info.file_size

    def copy(self, target: IO[bytes], on_bytes: OnBytes) -> tuple[int, str]:
        with self._archive.open(self._info) as source:
            return _copy(source, target, on_bytes, self.size)


def _zip_members(raw: IO[bytes]) -> Iterator[_Member]:
    if folder_bytes(raw) > HEADER_BYTES * 8:
        raise _headers()
    raw.seek(0)
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _odd(info.filename)
            if info.flag_bits & 1:
                raise ArchiveError("it needs a password", "需要密码")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                how = info.compress_type
                raise ArchiveError(
                    f"it is packed in an unusual way ({how})", f"压缩方式不受支持（{how}）"
                )
            yield _ZipMember(archive, info)


def _copy(source: IO[bytes], target: IO[bytes], on_bytes: OnBytes, size: int) -> tuple[int, str]:
    """Bytes and SHA-256 of what was copied; the archive said that it were ``size``."""
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        done += len(chunk)
        on_bytes(len(chunk))
        target.write(chunk)
        digest.update(chunk)
    if done != size:
        raise ArchiveError(
            f"a file in it has {done} bytes instead of {size}",
            f"其中一个文件为 {done} 字节，应为 {size} 字节",
        )
    return done, digest.hexdigest()


def _headers() -> ArchiveError:
    return ArchiveError("its headers are larger than any honest archive's", "文件头大得异常")


def _odd(name: str) -> ArchiveError:
    said = repr(name[:80])
    return ArchiveError(
        f"{said} in it is a link or something else, not a plain file",
        f"其中的 {said} 是链接或其他内容，不是普通文件",
    )
