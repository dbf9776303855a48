"""Where models lie: a folder each, with a record of where its files came from.

models/
  licences.json          which licences were accepted, when and by whom
  wav2lip/
    record.json          files, sizes, SHA-256, source
    wav2lip.pth
  .incoming/wav2lip/     what is being fetched
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from mien.models.catalogue import Licence, Model, ModelFile, catalogue, model
from mien.models.errors import ModelError

FOLDER_VARIABLE = "MIEN_MODELS"
RECORD = "record.json"
LICENCES = "licences.json"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as it lay when it came. size: bytes. known: whether its SHA-256 is the catalogue's."""

    name: str
    size: int
    sha256: str
    known: bool
    source: str


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


def keep(
    wanted: Model,
    files: list[tuple[Path, KeptFile]],
) -> Installed:
    """Move checked files into place, each at once, and record them. An older one is replaced."""
    folder = store_folder() / wanted.name
    folder.mkdir(parents=True, exist_ok=True)
    for path, file in files:
        os.replace(path, folder / file.name)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    kept = tuple(file for _, file in files)
    write_json(folder / RECORD, {"since": since, "files": [asdict(file) for file in kept]})
    names = {RECORD, *(file.name for file in kept)}
    for old in folder.iterdir():
        if old.is_file() and old.name not in names:
            old.unlink()  # the same model under another file's name
    return Installed(wanted.name, folder, kept, since)


def verify(found: Installed, on_progress: Callable[[float], None] | None = None) -> str | None:
    """Reads every byte. None when all is as it came, else what is wrong, in English.

    on_progress: called with the share 0…1 that is done.
    """
    tell = on_progress or (lambda share: None)
    total, done = sum(file.size for file in found.files), 0
    for file in found.files:
        digest = hashlib.sha256()
        try:
            with open(found.folder / file.name, "rb") as opened:
                while chunk := opened.read(1 << 20):
                    digest.update(chunk)
                    done += len(chunk)
                    tell(min(1.0, done / total))
        except OSError as error:
            return f"{file.name}: {error.strerror or error}"
        if digest.hexdigest() != file.sha256:
            return f"{file.name} has changed since it came (its SHA-256 is {digest.hexdigest()})"
    return None


def delete(name: str) -> None:
    """Forget the model and what was being fetched of it. Raises ModelError "unknown_model"."""
    wanted = model(name)
    for folder in (store_folder() / wanted.name, incoming(wanted)):
        if folder.is_symlink():
            folder.unlink()  # what it points to is not ours
        else:
            shutil.rmtree(folder, ignore_errors=True)


def incoming(wanted: Model) -> Path:
    """Where its files lie while they are fetched; on the same disk as the store."""
    return store_folder() / ".incoming" / wanted.name


def accepted(licence: Licence) -> bool:
    """Whether this licence, in the words it has now, was accepted here."""
    if not licence.ask:
        return True
    return _licences().get(licence.id, {}).get("text") == _fingerprint(licence)


def accept(licence: Licence) -> None:
    """Record that the user of this computer accepts the licence."""
    entry = {
        "name": licence.name,
        "url": licence.url,
        "text": _fingerprint(licence),
        "by": _who(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    store_folder().mkdir(parents=True, exist_ok=True)
    write_json(store_folder() / LICENCES, {**_licences(), licence.id: entry})


def _licences() -> dict[str, dict[str, str]]:
    try:
        found = json.loads((store_folder() / LICENCES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _fingerprint(licence: Licence) -> str:
    return hashlib.sha256(f"{licence.en}\n{licence.zh}".encode()).hexdigest()


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, in some containers
        return "unknown user"


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Whole or not at all: another process may be reading it."""
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".", delete=False
    ) as part:
        part.write(text)
    os.chmod(part.name, 0o644)
    os.replace(part.name, path)


def kept_file(file: ModelFile, name: str, size: int, sha256: str, source: str) -> KeptFile:
    """The record of a file that came; ``known`` where its SHA-256 is the catalogue's."""
    return KeptFile(name, size, sha256, sha256 == file.sha256, source)
