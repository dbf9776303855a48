"""Making the graphs of a voice, and measuring that they say the same as PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.tts.bert_vits2 import onnx_backend, torch_backend
from mien.tts.bert_vits2.artefacts import graph_folder, write_figures
from mien.tts.bert_vits2.backend import Backend, BackendError, Choice, Sentence, Slab
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.onnx_export import export
from mien.tts.bert_vits2.variant import Variant
from mien.weights.made import written_whole

WORST = 1e-3
"""Of the peak: louder differences than these are no rounding. Expected are 1e-5."""


@dataclass(frozen=True)
class Made:
    """error: the largest difference to PyTorch, as a share of the loudest sample."""

    folder: Path
    error: float
    seconds: float

    @property
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.iterdir())


def make(checkpoint: Checkpoint, on_progress: Callable[[float], None] = lambda share: None) -> Made:
    """Make the graphs and put them where the back ends look; interrupted, nothing changes.

    Raises:
        BackendError: a library is missing, or what came out is wrong.
        OSError: the disk is full, for instance.
    """
    started = time.perf_counter()
    folder = graph_folder(checkpoint)
    with written_whole(folder) as fresh:
        export(checkpoint, fresh, lambda share: on_progress(0.8 * share))
        made = onnx_backend.load(checkpoint, Choice("onnxruntime"), fresh)
        error = difference(made, torch_backend.load(checkpoint, Choice("torch")))
        made.close()
        if not error < WORST:
            raise BackendError(
                f"the graphs of {checkpoint.name} do not say what PyTorch says ({error:.1e})",
                "use it with PyTorch, and please report this",
            )
        write_figures(fresh, {"error": error, "weights": checkpoint.name})
    on_progress(1.0)
    return Made(folder, error, time.perf_counter() - started)


def difference(one: Backend, other: Backend) -> float:
    """The largest difference of their sound, as a share of the loudest sample of the other."""
    sounds = []
    for backend in (one, other):
        (latents,) = backend.latents([_sentence(backend.variant)])
        sounds.append(backend.decode([Slab(latents.z, latents.speaker)])[0])
    if sounds[0].shape != sounds[1].shape:
        return float("inf")
    return float(np.abs(sounds[0] - sounds[1]).max() / np.abs(sounds[1]).max())


def _sentence(v: Variant, symbols: int = 23) -> Sentence:
    random = np.random.default_rng(1)
    return Sentence(
        random.integers(0, v.symbols, symbols),
        random.integers(0, v.tones, symbols),
        random.integers(0, v.languages, symbols),
        {
            name: random.standard_normal((width, symbols), np.float32)
            for name, width in v.bert_widths.items()
        },
    )
