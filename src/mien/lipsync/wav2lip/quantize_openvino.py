"""Making the int8 network for OpenVINO: ranges from sample frames, and how good the result is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.backend import Choice, Precision
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.openvino_backend import QUANTISATION_FILE, OpenVinoBackend
from mien.lipsync.wav2lip.openvino_graph import decoder_model, feature_parts
from mien.lipsync.wav2lip.quantize import (
    Observer,
    Quantisation,
    held_out,
    psnr_between,
    quantised_names,
)
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import Window

Progress = Callable[[float], None]

PRECISIONS: tuple[Precision, Precision] = ("fp32", "int8")


def quantise(
    checkpoint: Checkpoint,
    window: Window,
    faces: NDArray[np.uint8],
    mels: NDArray[np.float32],
    folder: Path,
    on_progress: Progress = lambda share: None,
    *,
    threads: int = 0,
) -> float:
    """Write into ``folder`` what an int8 back end needs, from samples; their PSNR in dB.

    faces: uint8[n, S, S, 3] RGB; mels: float32[n, 80, 16], one for each. Of every four the last is
        held out: the PSNR is that of int8 against float32 on them.
    Two dozen samples are enough: the ranges hardly move beyond (0.1 dB).
    """
    held = held_out(len(faces))
    fp32, int8 = (Choice("openvino", name, threads=threads) for name in PRECISIONS)
    exact = OpenVinoBackend(checkpoint, window, fp32, None, (1,))
    on_progress(0.1)
    found = calibrated(
        exact, checkpoint, faces[~held], mels[~held], lambda share: on_progress(0.1 + 0.7 * share)
    )
    found.save(folder / QUANTISATION_FILE)
    made = OpenVinoBackend(checkpoint, window, int8, found, (1,))
    on_progress(0.9)
    quality = psnr_between(made, exact, faces[held], mels[held])
    on_progress(1.0)
    return quality


def calibrated(
    exact: OpenVinoBackend,
    checkpoint: Checkpoint,
    faces: NDArray[np.uint8],
    mels: NDArray[np.float32],
    on_progress: Progress = lambda share: None,
) -> Quantisation:
    """The ranges of what enters each convolution, over all samples; see quantise.

    exact: the same weights in float32, with a batch size of 1. What is found holds for any window
    that begins at the same row.
    """
    window = exact.window
    network = checkpoint.architecture
    names = quantised_names(network)
    model = decoder_model(network, fold(network, checkpoint.state), window, 1, observed=names)
    request = exact.compiled(model).create_infer_request()
    seen = {name: Observer() for name in names}
    parts = feature_parts(window)
    sums = {part.reader: Observer() for part in parts if part.summed}
    for index in range(len(faces)):
        features = exact.encode(faces[index : index + 1])
        request.infer([mels[index : index + 1, None], features], share_inputs=True)
        for output, observer in enumerate(seen.values(), 1):
            observer.see(request.get_output_tensor(output).data)
        ends = np.cumsum([part.values for part in parts])
        for part, kept in zip(parts, np.split(features, ends[:-1], axis=1), strict=True):
            if part.summed:
                sums[part.reader].see(np.abs(kept.reshape(1, *part.shape)))
        on_progress((index + 1) / len(faces))
    return Quantisation(
        {name: observer.highest for name, observer in seen.items()},
        {name: observer.means for name, observer in seen.items()},
        {name: observer.highest for name, observer in sums.items()},
    )
