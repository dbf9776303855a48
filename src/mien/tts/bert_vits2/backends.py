"""Which back ends this machine has, which of them is best, and loading it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Protocol, cast, get_args

from mien.tts.bert_vits2.backend import Backend, BackendError, Choice, Device, Library, Precision
from mien.tts.bert_vits2.checkpoint import Checkpoint

_log = logging.getLogger(__name__)


class _Module(Protocol):
    """What each back end's module offers."""

    @staticmethod
    def choices() -> list[Choice]: ...
    @staticmethod
    def why_not() -> str: ...
    @staticmethod
    def ready(checkpoint: Checkpoint, choice: Choice) -> bool: ...
    @staticmethod
    def load(checkpoint: Checkpoint, choice: Choice) -> Backend: ...


MODULES: dict[Library, str] = {
    "openvino": "openvino_backend",
    "onnxruntime": "onnx_backend",
    "torch": "torch_backend",
}

# Best first, by what ``mien bench voice`` measures.
ORDER: tuple[tuple[Library, Precision, Device], ...] = (
    ("torch", "fp16", "cuda"),
    ("openvino", "fp32", "cpu"),
    ("torch", "fp32", "cpu"),
    ("onnxruntime", "fp32", "cpu"),
    ("torch", "fp32", "cuda"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settings: names as in :class:`~mien.tts.bert_vits2.backend.Choice`, or "auto"."""

    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0

    def allows(self, choice: Choice) -> bool:
        return (
            self.backend in ("auto", choice.backend)
            and self.precision in ("auto", choice.precision)
            and self.device in ("auto", choice.device)
        )

    def __str__(self) -> str:
        named = [name for name in (self.backend, self.precision, self.device) if name != "auto"]
        return " ".join(named) or "any"


@dataclass(frozen=True, slots=True)
class Found:
    """One library: what it can run here, or why it cannot and what helps."""

    library: Library
    choices: tuple[Choice, ...]
    why_not: str = ""


def available(library: str = "auto") -> list[Found]:
    """All libraries, or the one named, whether they are there or not; for tables."""
    found = []
    for name in MODULES:
        if library in ("auto", name):  # looking for a library may mean loading it
            module = _module(name)
            choices = tuple(module.choices())
            found.append(Found(name, choices, "" if choices else module.why_not()))
    return found


def load(checkpoint: Checkpoint, choice: Choice) -> Backend:
    """Raises BackendError: what is missing or wrong, and what to do about it."""
    return _module(choice.backend).load(checkpoint, choice)


def load_best(checkpoint: Checkpoint, wanted: Wanted | None = None) -> Backend:
    """The best back end that really loads.

    One that needs what ``mien models optimize bert-vits2`` makes counts if that was made, or if it
    is asked for by name.

    Raises:
        BackendError: nothing fits ``wanted``, or the only one that does cannot be loaded.
    """
    wanted = wanted or Wanted()
    failure: BackendError | None = None
    for choice in _candidates(checkpoint, wanted):
        try:
            return load(checkpoint, choice)
        except BackendError as error:
            _log.warning("%s cannot be used: %s", choice, error)
            failure = failure or error
    raise failure or _nothing(wanted)


def _module(library: Library) -> _Module:
    return cast(_Module, import_module(f"{__package__}.{MODULES[library]}"))


def _candidates(checkpoint: Checkpoint, wanted: Wanted) -> Iterator[Choice]:
    """Choices that ``wanted`` allows, best first."""
    _check(wanted)
    choices = [choice for found in available(wanted.backend) for choice in found.choices]
    for choice in sorted(filter(wanted.allows, choices), key=_rank):
        if wanted.backend != "auto" or _module(choice.backend).ready(checkpoint, choice):
            yield replace(choice, threads=wanted.threads)


def _rank(choice: Choice) -> int:
    known = (choice.backend, choice.precision, choice.device)
    return ORDER.index(known) if known in ORDER else len(ORDER)


def _check(wanted: Wanted) -> None:
    for name, value, names in (
        ("back end", wanted.backend, get_args(Library)),
        ("precision", wanted.precision, get_args(Precision)),
        ("device", wanted.device, get_args(Device)),
    ):
        if value != "auto" and value not in names:
            raise BackendError(f"unknown {name} {value!r}", f"choose auto, {', '.join(names)}")


def _nothing(wanted: Wanted) -> BackendError:
    """Why nothing fits, library by library."""
    reasons = []
    for found in available(wanted.backend):
        has = ", ".join(f"{choice.precision} on {choice.device}" for choice in found.choices)
        reasons.append(f"{found.library}: {'has ' + has if has else found.why_not}")
    return BackendError(
        f"no back end fits {wanted!s}",
        "; ".join(reasons) + "; without PyTorch: mien models optimize bert-vits2",
        f"没有符合 {wanted!s} 的推理后端：{'；'.join(reasons)}",
    )
