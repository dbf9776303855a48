"""Making everything of a checkpoint that running it fast needs, and measuring how good that is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip import backends
from mien.lipsync.wav2lip.artefacts import (
    GOOD_PSNR_DB,
    artefact_folder,
    write_figures,
)
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.quantize import held_out, psnr_between
from mien.lipsync.wav2lip.window import Window
from mien.weights.made import written_whole

Progress = Callable[[float], None]

SAMPLES = 32
"""Pictures, each with 0.2 s of speech; a quarter only measures. Ranges hardly move beyond."""

EXACT_PSNR_DB = 110.0
"""Rounding of float32 alone: other orders of summing differ by as much."""


@dataclass(frozen=True)
class Samples:
    """What an avatar shows and hears, to choose ranges by and to measure on.

    faces: uint8[n, S, S, 3] RGB; mels: float32[n, 80, 16], one for each; n at least 4.
    source: where the faces are from, for people.
    """

    faces: NDArray[np.uint8]
    mels: NDArray[np.float32]
    source: str

    def __post_init__(self) -> None:
        if len(self.faces) != len(self.mels):
            raise ValueError(f"{len(self.faces)} faces cannot go with {len(self.mels)} sounds")


@dataclass(frozen=True)
class Made:
    """One thing that was made. psnr_db: against its own float32, on samples that chose nothing."""

    choice: Choice
    folder: Path
    psnr_db: float
    seconds: float

    @property
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    @property
    def verdict(self) -> str:
        """In words whether it will be used."""
        if self.psnr_db > EXACT_PSNR_DB:
            return f"{self.choice.precision} exact"
        said = f"{self.choice.precision} {self.psnr_db:.1f} dB"
        if self.choice.precision != "int8" or self.psnr_db >= GOOD_PSNR_DB:
            return said
        return f"{said}: below {GOOD_PSNR_DB:.0f}, {_better(self.choice)} is preferred"


def _better(choice: Choice) -> str:
    """The precision that runs instead of a bad int8: the best this processor has."""
    found = next(one for one in backends.available() if one.library == choice.backend)
    others = [one.precision for one in found.choices if one.device == "cpu"]
    return next((precision for precision in ("bf16", "fp32") if precision in others), "fp32")


def makeable(backend: str = "auto") -> list[Choice]:
    """What can be made on this machine for a library, or for all of them, quickest first.

    Raises:
        BackendError: nothing can be; it says what to install.
    """
    found = [one for one in backends.available() if backend in ("auto", one.library)]
    kinds = [("onnxruntime", p) for p in ("fp32", "int8", "fp16")] + [("openvino", "int8")]
    choices = [
        choice
        for one in found
        for choice in one.choices
        if (choice.backend, choice.precision) in kinds
    ]
    if not choices:
        why = "; ".join(one.why_not for one in found if one.why_not)
        raise BackendError(
            f"there is nothing to make for {backend}", why or "choose onnxruntime or openvino"
        )
    return sorted(choices, key=lambda choice: kinds.index((choice.backend, choice.precision)))


def make(
    checkpoint: Checkpoint,
    window: Window,
    choice: Choice,
    samples: Samples,
    on_progress: Progress = lambda share: None,
) -> Made:
    """Make what ``choice`` needs and put it where its back end looks; interrupted, nothing changes.

    Raises:
        BackendError: the library is missing or refuses. OSError: the disk is full, for instance.
    """
    started = time.perf_counter()
    folder = artefact_folder(checkpoint, window, choice)
    with written_whole(folder) as fresh:
        if choice.precision == "int8":
            psnr_db = _quantised(checkpoint, window, choice, samples, fresh, on_progress)
        else:
            psnr_db = _exported(checkpoint, window, choice, samples, fresh, on_progress)
        write_figures(
            fresh,
            {
                "psnr_db": round(psnr_db, 2),
                "samples": int(held_out(len(samples.faces)).sum()),
                "faces": samples.source,
                "weights": checkpoint.name,
            },
        )
    on_progress(1.0)
    return Made(choice, folder, psnr_db, time.perf_counter() - started)


def _quantised(
    checkpoint: Checkpoint,
    window: Window,
    choice: Choice,
    samples: Samples,
    folder: Path,
    on_progress: Progress,
) -> float:
    if choice.backend == "openvino":
        from mien.lipsync.wav2lip.quantize_openvino import quantise
    else:
        from mien.lipsync.wav2lip.onnx_calibrate import quantise
    return quantise(
        checkpoint,
        window,
        samples.faces,
        samples.mels,
        folder,
        on_progress,
        threads=choice.threads,
    )


def _exported(
    checkpoint: Checkpoint,
    window: Window,
    choice: Choice,
    samples: Samples,
    folder: Path,
    on_progress: Progress,
) -> float:
    """Graph files, and TensorRT's engine, which is built when they are first loaded."""
    from mien.lipsync.wav2lip.onnx_backend import DECODER_FILE, ENCODER_FILE, OnnxBackend
    from mien.lipsync.wav2lip.onnx_backend import new_graphs as graphs

    files = folder / DECODER_FILE, folder / ENCODER_FILE
    for file, graph in zip(files, graphs(checkpoint, window, choice), strict=True):
        file.write_bytes(graph)
    on_progress(0.2)
    held = held_out(len(samples.faces))
    exact_choice = Choice("onnxruntime", "fp32", threads=choice.threads)
    exact = OnnxBackend(checkpoint, window, exact_choice, *graphs(checkpoint, window, exact_choice))
    on_progress(0.3)
    made = OnnxBackend(checkpoint, window, choice, *files, engines=folder / "engine")
    on_progress(0.8)
    return psnr_between(made, exact, samples.faces[held], samples.mels[held])
