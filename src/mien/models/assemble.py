"""Files that came become a model: archives unpacked, everything checked, then kept at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mien.models.catalogue import Model, ModelFile
from mien.models.errors import ModelError
from mien.models.names import Tree, safe_path
from mien.models.sniff import not_the_file
from mien.models.store import RECORD, Installed, KeptFile, incoming, keep
from mien.models.unpack import ArchiveError, unpack

OnUnpacked = Callable[[ModelFile, float], None]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file of the catalogue that is here. path: where it lies, or the folder that it was already
    unpacked to. kept: what to remember of it; for such a folder, of all that is in it."""

    file: ModelFile
    path: Path
    kept: tuple[KeptFile, ...]


def assemble(
    wanted: Model, arrived: list[Arrived], on_unpacked: OnUnpacked | None = None
) -> Installed:
    """Keep what came, if it is the model; until then a model of that name that was here stays.

    What is no such model is deleted. What is, stays where it came while its archives are unpacked,
    so that a full disk costs no second download.

    on_unpacked: called with an archive and the share 0…1 of it that is unpacked.

    Raises ModelError "wrong_file"; OSError.
    """
    work = incoming(wanted) / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        files = _gather(wanted, arrived, work, on_unpacked or (lambda file, share: None))
        _check(wanted, work / "whole", files)
        found = keep(wanted, work / "whole", files)
    except ModelError:
        _drop(arrived)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _drop(arrived)
    return found


def _drop(arrived: list[Arrived]) -> None:
    for one in arrived:
        if one.path.is_file():
            one.path.unlink()


def _gather(wanted: Model, arrived: list[Arrived], work: Path, tell: OnUnpacked) -> list[KeptFile]:
    """Bring all files below work/whole."""
    files, tree = list[KeptFile](), Tree()
    tree.file(safe_path(RECORD))
    # Unpacking takes long and may fail; the rest is only moved.
    for number, one in enumerate(sorted(arrived, key=lambda one: not one.file.unpack)):
        if one.path.is_dir():
            place, found = one.path, one.kept
        elif one.file.unpack:
            place = work / f"archive-{number}"
            found = _unpacked(wanted, one, place, tell)
        else:
            place, found = one.path.parent, one.kept
            _sniff(wanted, one)
        for kept in found:
            try:
                tree.file(safe_path(kept.name))
            except ValueError as error:
                raise wrong_file(wanted, f"{kept.name}: {error}", f"{kept.name}：{error}") from None
            target = work / "whole" / kept.name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = one.path if one.path.is_file() and not kept.archive else place / kept.name
            source.replace(target)
        files += found
    order = {one.file.name: number for number, one in enumerate(arrived)}
    return sorted(files, key=lambda kept: order.get(kept.archive or kept.name, len(order)))


def _unpacked(wanted: Model, one: Arrived, place: Path, tell: OnUnpacked) -> tuple[KeptFile, ...]:
    (archive,) = one.kept
    try:
        found = unpack(one.path, place, on_share=lambda share: tell(one.file, share))
    except ArchiveError as error:
        name = one.file.name
        raise wrong_file(wanted, f"{name}: {error.en}", f"{name}：{error.zh}") from error
    return tuple(
        replace(archive, name=file.name, size=file.size, sha256=file.sha256, archive=one.file.name)
        for file in found
    )


def _sniff(wanted: Model, one: Arrived) -> None:
    with open(one.path, "rb") as opened:
        words = not_the_file(opened.read(512), one.file.name)
    if words is not None:
        en, zh = words
        raise wrong_file(wanted, en.replace("it sent", "it is"), zh)


def _check(wanted: Model, whole: Path, files: list[KeptFile]) -> None:
    names = {file.name for file in files}
    if lacking := [name for name in wanted.expects if name not in names]:
        said = ", ".join(lacking)
        raise wrong_file(wanted, f"it lacks {said}", f"缺少 {said}")
    if wanted.engine == "wav2lip":
        _check_wav2lip(wanted, whole / files[0].name)
    if wanted.engine == "bert-vits2":
        _check_bert_vits2(wanted, whole)


def _check_wav2lip(wanted: Model, path: Path) -> None:
    """Whether the weights are whole and of the model's network."""
    from mien.lipsync.wav2lip.checkpoint import CheckpointError, read_checkpoint

    try:
        found = read_checkpoint(path).architecture.name
    except CheckpointError as error:
        said = str(error).removeprefix(f"{path}: ")  # where it lies meanwhile tells nobody anything
        raise wrong_file(wanted, said, said) from error
    if found != wanted.architecture:
        raise wrong_file(
            wanted,
            f"its network is {found}, not {wanted.architecture}; "
            f"try `mien models pull {found} --from …`",
            f"其网络为 {found}，而不是 {wanted.architecture}；"
            f"请改用 `mien models pull {found} --from …`",
        )


def _check_bert_vits2(wanted: Model, whole: Path) -> None:
    """Whether there are a voice's weights and configuration, and they fit; no numbers are read."""
    from mien.tts.bert_vits2.checkpoint import CheckpointError, inspect

    try:
        inspect(whole)
    except CheckpointError as error:
        en, zh = str(error), str(getattr(error, "zh", error))
        away = f"{whole}/"
        raise wrong_file(wanted, en.replace(away, ""), zh.replace(away, "")) from error


def wrong_file(wanted: Model, en: str, zh: str) -> ModelError:
    """What came is not the model, and why."""
    return ModelError(
        "wrong_file",
        f"This is not the model {wanted.name} and was not kept: {en}.".replace("..", "."),
        f"该文件不是模型 {wanted.name}，未保留：{zh}。",
    )
