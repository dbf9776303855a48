"""Which weights an engine uses."""

from __future__ import annotations

from pathlib import Path

from mien.models.catalogue import catalogue
from mien.models.errors import ModelError
from mien.models.store import find, installed_for


def weights(engine: str, wanted: str = "auto") -> Path:
    """The file of weights for ``engine``, such as "wav2lip".

    wanted: "auto" = the first of the catalogue that is here; a model's name; or a file's path.

    Raises ModelError: "model_missing" with the command that fetches one, "no_such_file".
    """
    if wanted == "auto":
        here = installed_for(engine)
        if here:
            return here[0].path
        return find(next(name for name, model in catalogue().items() if model.engine == engine))
    if wanted in catalogue():
        return find(wanted)
    path = Path(wanted).expanduser()
    if path.is_file():
        return path
    known = ", ".join(name for name, model in catalogue().items() if model.engine == engine)
    raise ModelError(
        "no_such_file",
        f"lipsync.weights is {wanted!r}, which is neither a file nor one of {known}.",
        f"lipsync.weights 为 {wanted!r}，既不是文件，也不是 {known} 之一。",
    )
