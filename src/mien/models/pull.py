"""Bringing a model into the store: fetched or from a file, checked before it is kept."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from mien.models.catalogue import Model, ModelFile
from mien.models.download import OnProgress, Patience, download
from mien.models.errors import ModelError
from mien.models.lock import locked
from mien.models.sniff import not_the_file
from mien.models.sources import addresses
from mien.models.store import Installed, KeptFile, accepted, incoming, keep, kept_file

Arrived = list[tuple[Path, KeptFile]]


def pull(
    wanted: Model,
    mirror: str | None = None,
    on_progress: OnProgress | None = None,
    patience: Patience | None = None,
) -> Installed:
    """Fetch the model's files, one source after the other, check them and keep them.

    mirror: which source comes first, as ``sources.addresses`` says.
    on_progress: called with the bytes of all files that are here, of how many (None: not known),
    and the host they come from. What it raises ends the work; the next pull goes on from there.

    Raises ModelError: "licence" until its licence is accepted, what ``download`` raises, and
    "wrong_file" for what came but is no such model; it is not kept.
    """
    _need_consent(wanted)
    urls = [addresses(file.sources, mirror) for file in wanted.files]
    folder = incoming(wanted)
    with locked(folder / ".lock", wanted.name):
        arrived: Arrived = []
        for file, where in zip(wanted.files, urls, strict=True):
            done = sum(kept.size for _, kept in arrived)
            tell = _shifted(on_progress, done, wanted.size)
            got = download(file, where, folder, tell, patience)
            arrived.append((got.path, kept_file(file, file.name, got.size, got.sha256, got.source)))
        return _checked(wanted, arrived)


def pull_from(
    wanted: Model, given: Path, on_progress: Callable[[float], None] | None = None
) -> Installed:
    """Keep a copy of a file that the user has, once it has shown to be such a model.

    A SHA-256 that the catalogue does not know is no obstacle: it may be trained further.
    on_progress: called with the share 0…1 that is copied.

    Raises ModelError: "licence", "no_such_file", "disk_full", "wrong_file".
    """
    _need_consent(wanted)
    if len(wanted.files) != 1:
        raise ModelError(
            "many_files",
            f"{wanted.name} has {len(wanted.files)} files; it cannot be taken from one.",
            f"{wanted.name} 包含 {len(wanted.files)} 个文件，不能只用一个文件提供。",
        )
    file, folder = wanted.files[0], incoming(wanted)
    with locked(folder / ".lock", wanted.name):
        name = Path(file.name).stem + given.suffix.lower()
        # Not over a download that may go on one day.
        path = folder / "given" / name
        path.parent.mkdir(exist_ok=True)
        try:
            size, sha256 = _copy(given, path, on_progress or (lambda share: None))
            return _checked(
                wanted, [(path, kept_file(file, name, size, sha256, str(given.resolve())))]
            )
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)


def _need_consent(wanted: Model) -> None:
    licence = wanted.licence
    if accepted(licence):
        return
    raise ModelError(
        "licence",
        f"{wanted.name} needs its licence to be accepted ({licence.name}, {licence.url}): "
        "--i-accept-the-licence.",
        f"使用 {wanted.name} 前需接受其许可条款（{licence.url}）：--i-accept-the-licence。",
    )


def _shifted(on_progress: OnProgress | None, before: int, whole: int | None) -> OnProgress | None:
    """The progress of one file as that of all."""
    if on_progress is None:
        return None
    tell = on_progress
    return lambda done, total, host: tell(before + done, total if whole is None else whole, host)


def _copy(given: Path, path: Path, tell: Callable[[float], None]) -> tuple[int, str]:
    """Size in bytes and SHA-256 of what was copied."""
    digest, done = hashlib.sha256(), 0
    try:
        with open(given, "rb") as source, open(path, "wb") as target:
            total = given.stat().st_size
            while chunk := source.read(1 << 20):
                target.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                tell(min(1.0, done / max(1, total)))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(
                "disk_full",
                f"There is not enough room in {path.parent} for {given.name}. Make room, or let "
                "MIEN_MODELS name a folder on another disk.",
                f"{path.parent} 空间不足，无法存放 {given.name}。"
                "请清理磁盘，或用 MIEN_MODELS 指定其他磁盘上的文件夹。",
            ) from error
        said = error.strerror or str(error)
        raise ModelError(
            "no_such_file", f"{given} cannot be read: {said}.", f"无法读取 {given}：{said}。"
        ) from error
    return done, digest.hexdigest()


def _checked(wanted: Model, arrived: Arrived) -> Installed:
    """Into the store, or away where it is no such model."""
    try:
        for (path, kept), file in zip(arrived, wanted.files, strict=True):
            _check(wanted, file, path, kept)
    except ModelError:
        for path, _ in arrived:
            path.unlink(missing_ok=True)
        raise
    return keep(wanted, arrived)


def _check(wanted: Model, file: ModelFile, path: Path, kept: KeptFile) -> None:
    with open(path, "rb") as opened:
        words = not_the_file(opened.read(512), file.name)
    if words is not None:
        en, zh = words
        raise _wrong(wanted, en.replace("it sent", "it is"), zh)
    if wanted.engine == "wav2lip":
        _check_wav2lip(wanted, path)


def _check_wav2lip(wanted: Model, path: Path) -> None:
    """Whether the weights are whole and of the model's network."""
    from mien.lipsync.wav2lip.checkpoint import CheckpointError, read_checkpoint

    try:
        found = read_checkpoint(path).architecture.name
    except CheckpointError as error:
        said = str(error).removeprefix(f"{path}: ")  # where it lies meanwhile tells nobody anything
        raise _wrong(wanted, said, said) from error
    if found != wanted.architecture:
        raise _wrong(
            wanted,
            f"its network is {found}, not {wanted.architecture}; "
            f"try `mien models pull {found} --from …`",
            f"其网络为 {found}，而不是 {wanted.architecture}；"
            f"请改用 `mien models pull {found} --from …`",
        )


def _wrong(wanted: Model, en: str, zh: str) -> ModelError:
    return ModelError(
        "wrong_file",
        f"This is not the model {wanted.name} and was not kept: {en}.".replace("..", "."),
        f"该文件不是模型 {wanted.name}，未保留：{zh}。",
    )
