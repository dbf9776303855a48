"""Where models lie: a folder each, with a record of where its files came from.

models/
  licences.json          which licences were accepted, when and by whom (consent.py)
  wav2lip/
    record.json          files, sizes, SHA-256, source
    wav2lip.pth
  .incoming/wav2lip/     what is being fetched, unpacked or replaced
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from mien.models.catalogue import Model, ModelFile, catalogue, model
from mien.models.errors import ModelError
from mien.models.lock import locked
from mien.models.write import write_json

FOLDER_VARIABLE = "MIEN_MODELS"
RECORD = "record.json"
LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as it lay when it came. name: below the model's folder, with "/". size: bytes. known:
    whether its SHA-256, or that of the ``archive`` it was in, is the catalogue's."""

    name: str
    size: int
    sha256: str
    known: bool
    source: str
    archive: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that is here. since: when it came, ISO 8601 in UTC."""

    name: str
    folder: Path
    files: tuple[KeptFile, ...]
    since: str

    @property
    def path(self) -> Path:
        """Its first file, which is the only one of most models."""
        return self.folder / self.files[0].name


def store_folder() -> Path:
    """$MIEN_MODELS, or a folder among the user's data."""
    if given := os.environ.get(FOLDER_VARIABLE, "").strip():
        return Path(given).expanduser()
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "models"


def installed(name: str) -> Installed | None:
    """The model, if its files are here, of the recorded size. Reads no file but the record."""
    folder = store_folder() / name
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = tuple(KeptFile(**file) for file in record["files"])
        sizes = [(folder / file.name).stat().st_size for file in files]
        since = str(record["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not files or sizes != [file.size for file in files]:
        return None
    return Installed(name, folder, files, since)


def all_installed() -> list[Installed]:
    """The models of the catalogue that are here, in its order."""
    return [found for name in catalogue() if (found := installed(name))]


def installed_for(engine: str) -> list[Installed]:
    """What is here for an engine, such as "wav2lip"; the recommended one first."""
    return [found for found in all_installed() if catalogue()[found.name].engine == engine]


def find(name: str) -> Path:
    """The model's (first) file.

    Raises ModelError: "unknown_model", or "model_missing" with the command that fetches it.
    """
    wanted = model(name)
    found = installed(name)
    if found is None:
        raise missing(wanted)
    return found.path


def find_folder(name: str) -> Path:
    """The model's folder, with all its files below it.

    Raises ModelError: "unknown_model", or "model_missing" with the command that fetches it.
    """
    wanted = model(name)
    found = installed(name)
    if found is None:
        raise missing(wanted)
    return found.folder


def chosen(engine: str, wanted: str) -> Path:
    """The file that ``engine`` shall load.

    wanted: a model's name, a path, or "auto": the recommended one of those that are here. Raises
    ModelError "model_missing" with the command that fetches one.
    """
    if wanted != "auto":
        return find(wanted) if wanted in catalogue() else Path(wanted).expanduser()
    here = installed_for(engine)
    if not here:
        raise missing(next(m for m in catalogue().values() if m.engine == engine))
    return here[0].path


def missing(wanted: Model) -> ModelError:
    """What to say where ``wanted`` is needed and not here."""
    command = f"mien models pull {wanted.name}"
    return ModelError(
        "model_missing",
        f"The model {wanted.name} is not here: run `{command}`.",
        f"缺少模型 {wanted.name}：请运行 `{command}`。",
    )


def keep(wanted: Model, whole: Path, files: list[KeptFile]) -> Installed:
    """Make the folder ``whole``, which has checked ``files``, the model; an older one goes.

    Raises OSError, and then the older one is still there.
    """
    folder, old = store_folder() / wanted.name, incoming(wanted) / "old"
    since = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(whole / RECORD, {"since": since, "files": [asdict(file) for file in files]})
    restore(wanted)
    if os.path.lexists(folder):
        folder.replace(old)
    try:
        whole.replace(folder)
    except OSError:
        restore(wanted)
        raise
    _remove(old)
    return Installed(wanted.name, folder, tuple(files), since)


def restore(wanted: Model) -> None:
    """After a process was killed between the two halves of ``keep``: the older one is back."""
    folder, old = store_folder() / wanted.name, incoming(wanted) / "old"
    if os.path.lexists(old):
        if os.path.lexists(folder):
            _remove(old)
        else:
            old.replace(folder)


def delete(name: str) -> None:
    """Forget the model and what was being fetched of it. Raises ModelError "unknown_model"; "busy"
    while a process fetches it."""
    wanted = model(name)
    if incoming(wanted).is_dir():
        with locked(incoming(wanted) / LOCK, name):
            _remove(incoming(wanted))
    _remove(store_folder() / wanted.name)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()  # what it points to is not ours
    else:
        shutil.rmtree(folder, ignore_errors=True)


def incoming(wanted: Model) -> Path:
    """Where its files lie while they are fetched; on the same disk as the store."""
    return store_folder() / ".incoming" / wanted.name


def kept_file(file: ModelFile, name: str, size: int, sha256: str, source: str) -> KeptFile:
    """The record of a file that came; ``known`` where its SHA-256 is the catalogue's."""
    return KeptFile(name, size, sha256, sha256 == file.sha256, source)
