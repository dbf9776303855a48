"""Making the int8 network for ONNX Runtime: ranges from sample frames, and how good it is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.backend import Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.onnx_backend import (
    DECODER_FILE,
    ENCODER_FILE,
    OnnxBackend,
    graphs,
    load,
    session_options,
)
from mien.lipsync.wav2lip.onnx_graph import decoder_graph, encoder_graph
from mien.lipsync.wav2lip.onnx_int8 import Ranges, int8_decoder_graph
from mien.lipsync.wav2lip.quantize import (
    CLIPPINGS,
    KEPT_PER_FRAME,
    LEVELS,
    Observer,
    Quantisation,
    held_out,
    psnr_between,
    quantised_names,
)
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import Window

Progress = Callable[[float], None]


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
    """
    held = held_out(len(faces))
    choice = Choice("onnxruntime", "fp32", threads=threads)
    exact = OnnxBackend(checkpoint, window, choice, *graphs(checkpoint, window, choice))
    quantisation, added = calibrated(
        exact, checkpoint, faces[~held], mels[~held], lambda share: on_progress(0.8 * share)
    )
    network = checkpoint.architecture
    folded = fold(network, checkpoint.state)
    steps = {part.reader: quantisation.step(part.reader) for part in window.features}
    decoder = int8_decoder_graph(network, folded, window, quantisation, added)
    encoder = encoder_graph(network, folded, window, feature_steps=steps)
    (folder / DECODER_FILE).write_bytes(decoder.SerializeToString())
    (folder / ENCODER_FILE).write_bytes(encoder.SerializeToString())
    int8 = load(checkpoint, window, Choice("onnxruntime", "int8", threads=threads), folder)
    on_progress(0.9)
    quality = psnr_between(int8, exact, faces[held], mels[held])
    on_progress(1.0)
    return quality


def calibrated(
    exact: OnnxBackend,
    checkpoint: Checkpoint,
    faces: NDArray[np.uint8],
    mels: NDArray[np.float32],
    on_progress: Progress = lambda share: None,
) -> tuple[Quantisation, Ranges]:
    """Ranges of what enters each convolution, and of what residual layers add; see quantise."""
    import onnxruntime

    network = checkpoint.architecture
    graph = decoder_graph(network, fold(network, checkpoint.state), exact.window)
    convs = (node for node in graph.graph.node if node.op_type in ("Conv", "ConvTranspose"))
    reads = {node.name.removesuffix(".conv"): node.input[0] for node in convs}
    entering = {name: reads[name] for name in quantised_names(network)}
    residual = {conv.name for conv in network.convs() if conv.residual}
    added = {name: f"{name}.conv" for name in entering if name in residual}
    tensors = list(dict.fromkeys([*entering.values(), *added.values()]))
    for name in tensors:
        graph.graph.output.add(name=name)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), session_options(exact.choice), providers=["CPUExecutionProvider"]
    )
    inputs = {name: Observer() for name in entering}
    sums = {name: SignedObserver() for name in added}
    for index in range(len(faces)):
        features = exact.encode(faces[index : index + 1])
        given = {"mel": mels[index : index + 1, None], "features": features}
        seen = dict(zip(tensors, session.run(tensors, given), strict=True))
        _see(inputs, entering, seen)
        _see(sums, added, seen)
        on_progress((index + 1) / len(faces))
    quantisation = Quantisation(
        {name: observer.highest for name, observer in inputs.items()},
        {name: observer.means for name, observer in inputs.items()},
    )
    return quantisation, {name: observer.range for name, observer in sums.items()}


def _see(
    observers: Mapping[str, Observer] | Mapping[str, SignedObserver],
    tensors: Mapping[str, str],
    seen: Mapping[str, NDArray[np.float32]],
) -> None:
    for name, observer in observers.items():
        observer.see(seen[tensors[name]])


class SignedObserver:
    """Chooses the range of values of both signs, as Observer does for those of one."""

    def __init__(self) -> None:
        self._lowest = self._highest = 0.0
        self._kept: list[NDArray[np.float32]] = []
        self._random = np.random.default_rng(0)

    def see(self, values: NDArray[np.float32]) -> None:
        self._lowest = min(self._lowest, float(values.min()))
        self._highest = max(self._highest, float(values.max()))
        flat = values.reshape(-1)
        chosen = self._random.integers(0, flat.size, min(KEPT_PER_FRAME, flat.size))
        self._kept.append(flat[chosen])

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest, moved in together as far as that loses least."""
        if self._highest == self._lowest:
            return 0.0, 1.0
        values = np.concatenate(self._kept).astype(np.float64)
        ranges = [(self._lowest * share, self._highest * share) for share in CLIPPINGS]
        errors = [np.mean((values - _rounded(values, *ends)) ** 2) for ends in ranges]
        return ranges[int(np.argmin(errors))]


def _rounded(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    step = (high - low) / LEVELS
    rounded: NDArray[np.float64] = np.clip(np.rint(values / step) * step, low, high)
    return rounded
