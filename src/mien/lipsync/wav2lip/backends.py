"""Which back ends this machine has, which of them is best, and loading it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, get_args

from mien.lipsync.wav2lip.artefacts import GOOD_PSNR_DB, artefact_folder, figures
from mien.lipsync.wav2lip.backend import (
    Backend,
    BackendError,
    Choice,
    Device,
    Library,
    Precision,
)
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.window import MOUTH, Window

_log = logging.getLogger(__name__)


class _Module(Protocol):
    """What each back end's module offers."""

    @staticmethod
    def choices() -> list[Choice]: ...
    @staticmethod
    def why_not() -> str: ...
    @staticmethod
    def load(
        checkpoint: Checkpoint, window: Window, choice: Choice, quantised: Path | None = None
    ) -> Backend: ...


MODULES: dict[Library, str] = {
    "openvino": "openvino_backend",
    "onnxruntime": "onnx_backend",
    "torch": "torch_backend",
}

# Best first, by what was measured (docs/performance.md). TensorRT comes behind plain CUDA because
# its first start takes minutes: it is for those who ask for it.
ORDER: tuple[tuple[Library, Precision, Device], ...] = (
    ("torch", "fp16", "cuda"),
    ("onnxruntime", "fp16", "tensorrt"),
    ("onnxruntime", "fp16", "cuda"),
    ("openvino", "int8", "cpu"),
    ("openvino", "bf16", "cpu"),
    ("onnxruntime", "int8", "cpu"),
    ("openvino", "fp32", "cpu"),
    ("onnxruntime", "fp32", "cpu"),
    ("torch", "bf16", "cpu"),
    ("torch", "fp32", "cpu"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settings: names as in :class:`~mien.lipsync.wav2lip.backend.Choice`, or "auto"."""

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
        if library not in ("auto", name):
            continue  # looking for a library may mean loading it
        module = _module(name)
        choices = tuple(module.choices())
        found.append(Found(name, choices, "" if choices else module.why_not()))
    return found


def best(
    checkpoint: Checkpoint, wanted: Wanted | None = None, window: Window | None = None
) -> Choice:
    """What :func:`load_best` tries first. Raises BackendError when nothing fits ``wanted``."""
    wanted = wanted or Wanted()
    for choice in _candidates(checkpoint, window or MOUTH(checkpoint.architecture), wanted):
        return choice
    raise _nothing(wanted)


def load(
    checkpoint: Checkpoint, window: Window, choice: Choice, quantised: Path | None = None
) -> Backend:
    """Raises BackendError: what is missing or wrong, and what to do about it."""
    return _module(choice.backend).load(checkpoint, window, choice, quantised)


def load_best(
    checkpoint: Checkpoint,
    window: Window,
    wanted: Wanted | None = None,
    quantised: Path | None = None,
) -> Backend:
    """The best back end that really loads.

    Raises:
        BackendError: nothing fits ``wanted``, or the only one that does cannot be loaded.
    """
    wanted = wanted or Wanted()
    failure: BackendError | None = None
    for choice in _candidates(checkpoint, window, wanted, quantised):
        try:
            return load(checkpoint, window, choice, quantised)
        except BackendError as error:
            _log.warning("%s cannot be used: %s", choice, error)
            failure = failure or error
    raise failure or _nothing(wanted)


def _module(library: Library) -> _Module:
    return cast(_Module, import_module(f"{__package__}.{MODULES[library]}"))


def _candidates(
    checkpoint: Checkpoint, window: Window, wanted: Wanted, quantised: Path | None = None
) -> Iterator[Choice]:
    """Choices that ``wanted`` allows, best first.

    int8 only where somebody made it and it is good, unless it is asked for by name. What a library
    does not recommend here (bfloat16 that is slower than float32, say) may be asked for, too.
    """
    _check(wanted)
    asked = wanted.precision == "int8" or quantised is not None
    choices = [choice for found in available(wanted.backend) for choice in found.choices]
    fitting = sorted(filter(wanted.allows, choices), key=_rank)
    if choices and not fitting and "auto" not in (wanted.backend, wanted.precision):
        device = "cpu" if wanted.device == "auto" else cast(Device, wanted.device)
        fitting = [replace(choices[0], precision=cast(Precision, wanted.precision), device=device)]
    for choice in fitting:
        if choice.precision != "int8" or asked or _good(checkpoint, window, choice):
            yield replace(choice, threads=wanted.threads)


def _rank(choice: Choice) -> int:
    known = (choice.backend, choice.precision, choice.device)
    return ORDER.index(known) if known in ORDER else len(ORDER)


def _good(checkpoint: Checkpoint, window: Window, choice: Choice) -> bool:
    measured = figures(artefact_folder(checkpoint, window, choice))
    return measured is not None and float(measured.get("psnr_db", 0)) >= GOOD_PSNR_DB


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
    return BackendError(f"no back end fits {wanted!s}", "; ".join(reasons))
