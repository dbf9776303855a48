"""The catalogue of models, as data: catalogue.toml says what each field means."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mien.models.errors import ModelError


@dataclass(frozen=True, slots=True)
class Licence:
    """What its owner allows; ``en`` and ``zh`` are what a user must have read."""

    id: str
    name: str
    en: str
    zh: str
    url: str
    non_commercial: bool


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file. size: bytes. size, sha256: None where nobody has published them."""

    name: str
    sources: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """kind: what it is for ("lipsync"). engine: what runs it ("wav2lip"). architecture: the shape
    its files must have, "" where none is checked. en, zh: what it is for, in words."""

    name: str
    kind: str
    engine: str
    licence: Licence
    files: tuple[ModelFile, ...]
    architecture: str = ""
    homepage: str = ""
    en: str = ""
    zh: str = ""

    @property
    def size(self) -> int | None:
        """Bytes of all files, None where that of one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Model]:
    """Every model by name, in the order they are recommended."""
    text = (files("mien.models") / "catalogue.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text))


def parse(data: dict[str, Any]) -> dict[str, Model]:
    """The models of a table shaped like catalogue.toml."""
    licences = {key: Licence(id=key, **fields) for key, fields in data["licences"].items()}
    found = {}
    for name, fields in data["models"].items():
        parts = tuple(
            ModelFile(**{**file, "sources": tuple(file["sources"])}) for file in fields["files"]
        )
        licence = licences[fields["licence"]]
        found[name] = Model(name=name, **{**fields, "files": parts, "licence": licence})
    return found


def model(name: str) -> Model:
    """Raises ModelError "unknown_model", naming those there are."""
    try:
        return catalogue()[name]
    except KeyError:
        known = ", ".join(catalogue())
        raise ModelError(
            "unknown_model",
            f"There is no model {name!r}; there are {known}.",
            f"没有名为 {name!r} 的模型；现有：{known}。",
        ) from None
