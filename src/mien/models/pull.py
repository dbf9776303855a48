"""Bringing a model into the store: fetched file by file, checked before it is kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from mien.models.assemble import Arrived, assemble
from mien.models.catalogue import Model
from mien.models.consent import need_consent
from mien.models.disk import disk_full, is_full
from mien.models.download import download
from mien.models.errors import ModelError
from mien.models.lock import locked
from mien.models.offline import needed, never_online
from mien.models.progress import FileProgress, OnModelProgress, UnpackProgress
from mien.models.sources import addresses
from mien.models.store import LOCK, Installed, KeptFile, incoming, kept_file, restore
from mien.models.transfer import Patience, digest_of
from mien.models.write import write_json

FILES = "files"
ARRIVED = "arrived.json"


def pull(
    wanted: Model,
    mirror: str | None = None,
    on_progress: OnModelProgress | None = None,
    patience: Patience | None = None,
    *,
    offline: bool = False,
) -> Installed:
    """Fetch the model's files, one source after the other, unpack, check and keep them.

    mirror: which source comes first, as ``sources.addresses`` says.
    on_progress: what it raises ends the work; the next pull goes on from there.
    offline: ask nobody, as $MIEN_OFFLINE does; then what was fetched before must be enough.

    Raises ModelError: "licence" until its licence is accepted, "offline" naming what is missing,
    "busy" while another process fetches it, what ``download`` raises, "disk", and "wrong_file" for
    what came but is no such model; it is not kept.
    """
    need_consent(wanted)
    urls = {file.name: addresses(file.sources, mirror) for file in wanted.files}
    folder, tell = incoming(wanted), on_progress or (lambda progress: None)
    try:
        with locked(folder / LOCK, wanted.name):
            restore(wanted)
            here = _here(wanted, folder)
            missing = [file for file in wanted.files if file.name not in here]
            if missing and (offline or never_online()):
                raise needed(wanted, missing)
            for file in missing:
                before = sum(kept.size for kept in here.values())
                teller = FileProgress("fetch", wanted, file, before, tell)
                path = folder / FILES / file.name
                bare = replace(file, name=path.name)
                got = download(bare, urls[file.name], path.parent, teller, patience)
                here[file.name] = kept_file(file, file.name, got.size, got.sha256, got.source)
                write_json(folder / ARRIVED, {"files": [asdict(one) for one in here.values()]})
            arrived = [
                Arrived(file, folder / FILES / file.name, (here[file.name],))
                for file in wanted.files
            ]
            unpacking = UnpackProgress({name: kept.size for name, kept in here.items()}, tell)
            found = assemble(wanted, arrived, unpacking)
            shutil.rmtree(folder / FILES, ignore_errors=True)
            (folder / ARRIVED).unlink(missing_ok=True)
            return found
    except OSError as error:
        raise disk_error(wanted, folder, error) from error


def _here(wanted: Model, folder: Path) -> dict[str, KeptFile]:
    """The files that an earlier pull has fetched whole and that still are."""
    try:
        noted = json.loads((folder / ARRIVED).read_text(encoding="utf-8"))["files"]
        kept = {one["name"]: KeptFile(**one) for one in noted}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    here = {}
    for file in wanted.files:
        one = kept.get(file.name)
        if one is None or file.sha256 not in (None, one.sha256):
            continue
        path = folder / FILES / file.name
        if path.is_file() and digest_of(path).hexdigest() == one.sha256:
            here[file.name] = one
    return here


def disk_error(wanted: Model, folder: Path, error: OSError) -> ModelError:
    """What the system says of its files, in words."""
    if is_full(error):
        return disk_full(folder, wanted.name, wanted.size)
    said = f"{error.filename or folder}: {error.strerror or error}"
    return ModelError(
        "disk", f"{wanted.name} cannot be kept: {said}.", f"无法保存 {wanted.name}：{said}。"
    )
