"""The catalogue of models, as data: catalogue.toml says what each field means.

A second one of the same form may be the user's own, for voices that nobody else has.
"""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from loguru import logger
from pydantic import AfterValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.dataclasses import dataclass

from mien.models.errors import ModelError
from mien.models.names import Tree, safe_name, safe_path

OWN_VARIABLE = "MIEN_CATALOGUE"
EXACT = ConfigDict(extra="forbid")

Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
FileName = Annotated[str, AfterValidator(safe_name)]


@dataclass(frozen=True, slots=True, config=EXACT)
class Licence:
    """What its owner allows; ``en`` and ``zh`` are what a user must have read.

    ask: whether it must be accepted; not for what users bring themselves.
    """

    id: str
    name: str
    en: str
    zh: str
    url: str = ""
    non_commercial: bool = False
    ask: bool = True


OWN_LICENCE = Licence(
    "own",
    "your own catalogue states none",
    "Your own catalogue names no licence for this model; you know what you may do with it.",
    "您自己的模型目录未注明此模型的许可证，请自行确认使用权限。",
    ask=False,
)


@dataclass(frozen=True, slots=True, config=EXACT)
class ModelFile:
    """One file to fetch. name: its path in the model's folder, with "/" between folders. size:
    bytes. size, sha256: None where nobody has published them. unpack: it is an archive (tar.bz2,
    tar.gz, zip) whose content belongs into the model's folder, not itself."""

    name: FileName
    sources: tuple[Address, ...] = ()
    size: Annotated[int, "bytes"] | None = None
    sha256: Sha256 | None = None
    unpack: bool = False


@dataclass(frozen=True, slots=True, config=EXACT)
class Model:
    """kind: what it is for: "lipsync", "tts" (a voice), "asr" (ears), "kws" (a wake word), "bert"
    (what Bert-VITS2 reads a text with). engine: what runs it ("wav2lip", "sherpa", "bert-vits2",
    "bert"). architecture: the shape its files must have, "" where none is checked. expects: files
    that must be there once all is unpacked. en, zh: what it is for, in words. own: the user's
    catalogue has it."""

    name: Name
    kind: Name
    engine: str
    licence: Licence
    files: tuple[ModelFile, ...]
    architecture: str = ""
    homepage: str = ""
    en: str = ""
    zh: str = ""
    expects: tuple[FileName, ...] = ()
    languages: tuple[str, ...] = ()
    own: bool = False

    @property
    def size(self) -> int | None:
        """Bytes to fetch, None where those of one file are not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def catalogue(strict: bool = False) -> dict[str, Model]:
    """Every model by name, in the order they are recommended; the user's own come last.

    A mistake in the user's file costs only the models in it, and is logged; strict: it is raised,
    as ModelError "catalogue".
    """
    try:
        return {**shipped(), **own()}
    except ModelError as error:
        if strict:
            raise
        _warn(error.en)
        return dict(shipped())


@lru_cache(maxsize=8)
def _warn(said: str) -> None:
    """Once for each mistake."""
    logger.warning(said)


@lru_cache(maxsize=1)
def shipped() -> dict[str, Model]:
    """The models that come with mien."""
    text = (files("mien.models") / "catalogue.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text))


def own_file() -> Path:
    """$MIEN_CATALOGUE, or models.toml among the user's data; it need not exist."""
    if given := os.environ.get(OWN_VARIABLE, "").strip():
        return Path(given).expanduser()
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "models.toml"


def own() -> dict[str, Model]:
    """The models of the user's own catalogue. Raises ModelError "catalogue"."""
    path = own_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if os.environ.get(OWN_VARIABLE, "").strip():
            raise _wrong(path, "there is no such file", "没有这个文件") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, str(error), str(error)) from error
    try:
        found = parse(tomllib.loads(text), own=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        said = _said(error)
        raise _wrong(path, said, said) from error
    taken = {name.casefold(): name for name in shipped()}
    for name in found:
        if name.casefold() in taken:
            raise _wrong(
                path, f"mien has a model {name} already; choose another name", f"模型 {name} 已存在"
            )
    return found


def parse(data: dict[str, Any], own: bool = False) -> dict[str, Model]:
    """The models of a table shaped like catalogue.toml. own: it is the user's.

    Raises ValueError, TypeError, KeyError or AttributeError where it is not.
    """
    if unknown := data.keys() - {"licences", "models"}:
        raise ValueError(f"it has no place for {', '.join(sorted(unknown))}")
    known = {} if not own else {one.licence.id: one.licence for one in shipped().values()}
    for key, fields in data.get("licences", {}).items():
        known[key] = Licence(id=key, **fields)
    return {
        name: _model(name, dict(fields), known, own)
        for name, fields in data.get("models", {}).items()
    }


def _model(name: str, fields: dict[str, Any], licences: dict[str, Licence], own: bool) -> Model:
    folders = [where.rstrip("/") for where in fields.pop("folders", ())]
    licence = fields.pop("licence", None)
    if licence is None and not own:
        raise ValueError(f"models.{name} has no licence")
    if licence is not None and licence not in licences:
        raise ValueError(f"models.{name}: there is no [licences.{licence}]")
    if not fields.get("files"):
        raise ValueError(f"models.{name} has no files")
    parts = []
    for file in fields.pop("files"):
        sources = file.get("sources") or [f"{where}/{file['name']}" for where in folders]
        parts.append(ModelFile(**{**file, "sources": tuple(sources)}))
    tree = Tree()
    for part in parts:
        tree.file(safe_path(part.name))
    chosen = OWN_LICENCE if licence is None else licences[licence]
    return Model(name=name, licence=chosen, files=tuple(parts), own=own, **fields)


def model(name: str) -> Model:
    """Raises ModelError "unknown_model", naming those there are."""
    # What is shipped can be had whatever the user's own file looks like.
    found = shipped().get(name) or catalogue(strict=True).get(name)
    if found is not None:
        return found
    known = ", ".join(catalogue())
    raise ModelError(
        "unknown_model",
        f"There is no model {name!r}; there are {known}.",
        f"没有名为 {name!r} 的模型；现有：{known}。",
    )


def _said(error: Exception) -> str:
    """What is wrong, in one line."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, each['loc'])) or error.title}: {each['msg']}"
            for each in error.errors()
        )
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error)


def _wrong(path: Path, en: str, zh: str) -> ModelError:
    return ModelError(
        "catalogue",
        f"Your catalogue of models {path} cannot be used: {en}. docs/models.md says how it is "
        "written.",
        f"无法使用您的模型目录 {path}：{zh}。写法见 docs/models.md。",
    )
