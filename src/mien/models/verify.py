"""Whether a model is still as it came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mien.models.store import Installed


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
