"""Models that the user has already: a file, or a folder as on a USB stick."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mien.models.assemble import Arrived, assemble, wrong_file
from mien.models.catalogue import Model, ModelFile
from mien.models.consent import need_consent
from mien.models.errors import ModelError
from mien.models.lock import locked
from mien.models.names import safe_path
from mien.models.progress import FileProgress, OnModelProgress, UnpackProgress
from mien.models.pull import disk_error
from mien.models.store import LOCK, Installed, KeptFile, incoming, kept_file, restore

CHUNK = 1 << 20
ARCHIVES = (".tar.bz2", ".tar.gz", ".tgz", ".zip")


def pull_from(wanted: Model, given: Path, on_progress: OnModelProgress | None = None) -> Installed:
    """Keep a copy of the one file that a model has, once it has shown to be such a model.

    A SHA-256 that the catalogue does not know is no obstacle where the network itself can be
    checked: it may be trained further.

    Raises ModelError: "licence", "no_such_file", "many_files", "disk_full", "busy", "wrong_file".
    """
    need_consent(wanted)
    if len(wanted.files) != 1:
        raise ModelError(
            "many_files",
            f"{wanted.name} has {len(wanted.files)} files; give the folder that they lie in with "
            "--from-dir.",
            f"{wanted.name} 包含 {len(wanted.files)} 个文件，请用 --from-dir 指定其所在的文件夹。",
        )
    (file,) = wanted.files
    name = file.name if file.unpack else Path(file.name).stem + given.suffix.lower()
    return _bring(wanted, {file.name: (given, name)}, on_progress)


def pull_from_folder(
    wanted: Model, given: Path, on_progress: OnModelProgress | None = None
) -> Installed:
    """Keep a copy of a model whose files lie in a folder, or one folder below it: as the catalogue
    calls them, archives also unpacked.

    Raises ModelError: "licence", "not_in_folder" naming what is missing, "disk_full", "busy",
    "wrong_file".
    """
    need_consent(wanted)
    found, missing = look_for(wanted, given)
    if missing:
        said = ", ".join(file.name for file in missing)
        raise ModelError(
            "not_in_folder",
            f"{given} has no {said}; {wanted.name} needs it.",
            f"{given} 中没有 {wanted.name} 所需的 {said}。",
        )
    return _bring(wanted, {n: (path, n) for n, path in found.items()}, on_progress)


def look_for(wanted: Model, given: Path) -> tuple[dict[str, Path], list[ModelFile]]:
    """Where the model's files lie in or below ``given``, and those that do not. An archive's place
    may be the folder that it was unpacked to."""
    places = [given / wanted.name, *(given / _stem(file) for file in wanted.files), given]
    found, missing = dict[str, Path](), list[ModelFile]()
    for file in wanted.files:
        names = dict.fromkeys((file.name, Path(file.name).name))
        files = (place / name for place in places for name in names)
        path = next((path for path in files if path.is_file()), None)
        if path is None and file.unpack:
            path = next((place for place in places if _is_unpacked(wanted, place)), None)
        if path is None:
            missing.append(file)
        else:
            found[file.name] = path
    return found, missing


def _stem(file: ModelFile) -> str:
    name = Path(file.name).name
    return next((name.removesuffix(end) for end in ARCHIVES if name.endswith(end)), name)


def _is_unpacked(wanted: Model, place: Path) -> bool:
    """Whether what the archives bring lies there."""
    plain = {file.name for file in wanted.files if not file.unpack}
    inner = [name for name in wanted.expects if name not in plain]
    return bool(inner) and all((place / name).is_file() for name in inner)


def _bring(
    wanted: Model, given: dict[str, tuple[Path, str]], on_progress: OnModelProgress | None
) -> Installed:
    """Copy what lies at each file's place under its new name; then as if it had been fetched."""
    folder, tell = incoming(wanted), on_progress or (lambda progress: None)
    # Not over a download that may go on one day.
    into = folder / "given"
    try:
        with locked(folder / LOCK, wanted.name):
            restore(wanted)
            shutil.rmtree(into, ignore_errors=True)
            into.mkdir()
            try:
                arrived, before = list[Arrived](), 0
                for number, file in enumerate(wanted.files):
                    source, name = given[file.name]
                    teller = FileProgress("copy", wanted, file, before, tell)
                    if source.is_dir():
                        arrived.append(_folder(wanted, file, source, into / str(number), teller))
                    else:
                        arrived.append(_file(wanted, file, source, into, name, teller))
                    before += sum(kept.size for kept in arrived[-1].kept)
                sizes = {one.file.name: sum(kept.size for kept in one.kept) for one in arrived}
                return assemble(wanted, arrived, UnpackProgress(sizes, tell))
            finally:
                shutil.rmtree(into, ignore_errors=True)
    except OSError as error:
        raise disk_error(wanted, folder, error) from error


def _file(
    wanted: Model, file: ModelFile, source: Path, into: Path, name: str, teller: FileProgress
) -> Arrived:
    path = into / name
    path.parent.mkdir(parents=True, exist_ok=True)
    size, sha256 = _copy(source, path, teller)
    kept = kept_file(file, name, size, sha256, str(source.resolve()))
    if file.sha256 is not None and not kept.known and wanted.engine != "wav2lip":
        raise wrong_file(
            wanted,
            f"{source} has {size} bytes and the SHA-256 {sha256}, not the {file.sha256} of the "
            "catalogue",
            f"{source}（{size} 字节）的 SHA-256 为 {sha256}，与目录中的 {file.sha256} 不符",
        )
    return Arrived(file, path, (kept,))


def _folder(
    wanted: Model, file: ModelFile, source: Path, into: Path, teller: FileProgress
) -> Arrived:
    """What an archive was unpacked to; without files that come beside it anyway."""
    beside = {one.name for one in wanted.files}
    kept, done = list[KeptFile](), 0
    for path in _plain_files(source):
        name = path.relative_to(source).as_posix()
        if name in beside:
            continue
        try:
            safe_path(name)
        except ValueError as error:
            raise wrong_file(wanted, f"{path}: {error}", f"{path}：{error}") from None
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        size, sha256 = _copy(path, into / name, partial(_shifted, teller, done))
        done += size
        kept.append(KeptFile(name, size, sha256, False, str(path.resolve()), file.name))
    return Arrived(file, into, tuple(kept))


def _shifted(teller: FileProgress, before: int, done: int, total: int) -> None:
    """The progress of one of many files whose number nobody has counted."""
    teller(before + done, None)


def _plain_files(folder: Path) -> Iterator[Path]:
    """All files below, of links to folders only the names."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.is_symlink():
                yield from _plain_files(path)
        elif path.is_file():
            yield path


def _copy(source: Path, path: Path, tell: Callable[[int, int], None]) -> tuple[int, str]:
    """Size in bytes and SHA-256 of what was copied."""
    digest, done = hashlib.sha256(), 0
    try:
        opened = open(source, "rb")
    except OSError as error:
        said = error.strerror or str(error)
        raise ModelError(
            "no_such_file", f"{source} cannot be read: {said}.", f"无法读取 {source}：{said}。"
        ) from error
    with opened, open(path, "wb") as target:
        total = source.stat().st_size
        while chunk := opened.read(CHUNK):
            target.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            tell(done, total)
    return done, digest.hexdigest()
