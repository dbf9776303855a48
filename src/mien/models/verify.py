"""Whether a model is still as it came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mien.models.errors import ModelError
from mien.models.store import Installed


def verify(
    found: Installed, on_progress: Callable[[float], None] | None = None
) -> ModelError | None:
    """Reads every byte. None when all is as it came, else what is wrong: "damaged", with the
    command that fetches it anew.

    on_progress: called with the share 0…1 that is done.
    """
    tell = on_progress or (lambda share: None)
    total, done = max(1, sum(file.size for file in found.files)), 0
    for file in found.files:
        digest = hashlib.sha256()
        try:
            with open(found.folder / file.name, "rb") as opened:
                while chunk := opened.read(1 << 20):
                    digest.update(chunk)
                    done += len(chunk)
                    tell(min(1.0, done / total))
        except OSError as error:
            said = error.strerror or str(error)
            return _damaged(found, f"{file.name}: {said}", f"{file.name}：{said}")
        if digest.hexdigest() != file.sha256:
            return _damaged(
                found,
                f"{file.name} has changed since it came (its SHA-256 is {digest.hexdigest()})",
                f"{file.name} 与获取时不同（SHA-256 为 {digest.hexdigest()}）",
            )
    return None


def _damaged(found: Installed, en: str, zh: str) -> ModelError:
    command = f"mien models pull {found.name} --again"
    return ModelError(
        "damaged",
        f"{found.name}: {en}. Fetch it again: {command}",
        f"{found.name}：{zh}。请重新获取：{command}",
    )
