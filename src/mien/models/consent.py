"""Which licences the user of this computer has accepted, when, and in which words."""

from __future__ import annotations

import getpass
import hashlib
import json
from datetime import UTC, datetime

from mien.models.catalogue import Licence, Model
from mien.models.errors import ModelError
from mien.models.store import store_folder
from mien.models.write import write_json

LICENCES = "licences.json"


def need_consent(wanted: Model) -> None:
    """Raises ModelError "licence" until the model's licence is accepted."""
    licence = wanted.licence
    if accepted(licence):
        return
    raise ModelError(
        "licence",
        f"{wanted.name} needs its licence to be accepted ({licence.name}, {licence.url}): "
        "--i-accept-the-licence.",
        f"使用 {wanted.name} 前需接受其许可条款（{licence.url}）：--i-accept-the-licence。",
    )


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
