"""Wav2Lip on ONNX Runtime: CPU in float32 and int8, NVIDIA GPUs through CUDA and TensorRT."""

from __future__ import annotations

import logging
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.artefacts import artefact_folder, cache_folder, figures
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.onnx_providers import (
    BATCH_SIZES_CPU,
    BATCH_SIZES_GPU,
    PROVIDERS,
    load_gpu_libraries,
    provider_list,
    require,
    usable,
)
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import Window

DECODER_FILE = "decoder.onnx"
ENCODER_FILE = "encoder.onnx"

Model = bytes | Path
"""A graph in memory, or its file."""

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}

_log = logging.getLogger(__name__)


def choices() -> list[Choice]:
    """What this machine can run, best first. int8 needs ``mien models optimize`` first."""
    if why_not():
        return []
    found = [Choice("onnxruntime", "fp16", "tensorrt")] if usable("tensorrt") else []
    if usable("cuda"):
        found += [Choice("onnxruntime", "fp16", "cuda"), Choice("onnxruntime", "fp32", "cuda")]
    return [*found, Choice("onnxruntime", "int8"), Choice("onnxruntime", "fp32")]


def why_not() -> str:
    """Why there is no choice at all, and what helps; empty if there is one."""
    missing = [name for name in ("onnxruntime", "onnx") if find_spec(name) is None]
    if not missing:
        return ""
    return f"{' and '.join(missing)} not installed: pip install 'mien[wav2lip]'"


def load(
    checkpoint: Checkpoint, window: Window, choice: Choice, quantised: Path | None = None
) -> OnnxBackend:
    """The network, ready to run.

    quantised: folder of the int8 graphs; None = where ``mien models optimize`` puts them.
    Raises:
        BackendError: what is missing or wrong, and what to do about it.
    """
    if (choice.precision, choice.device) not in _PRECISIONS:
        raise BackendError(
            f"ONNX Runtime runs no {choice.precision} network on {choice.device}",
            "choose " + ", ".join(f"{precision} on {device}" for precision, device in _PRECISIONS),
        )
    if missing := why_not():
        raise BackendError(f"ONNX Runtime cannot run the network: {missing}", "")
    require(choice.device)
    if choice.precision == "int8":
        models: tuple[Model, Model] = _quantised(checkpoint, window, choice, quantised)
    else:
        models = graphs(checkpoint, window, choice)
    return OnnxBackend(checkpoint, window, choice, *models)


_PRECISIONS = (
    ("fp32", "cpu"),
    ("int8", "cpu"),
    ("fp32", "cuda"),
    ("fp16", "cuda"),
    ("fp16", "tensorrt"),
    ("fp16", "cpu"),  # computes in float32 between the roundings: for checking, not for speed
)


def graphs(checkpoint: Checkpoint, window: Window, choice: Choice) -> tuple[Model, Model]:
    """Decoder and encoder for ``choice``: those made by ``mien models optimize``, or new ones."""
    folder = artefact_folder(checkpoint, window, choice)
    if figures(folder) is not None and (folder / DECODER_FILE).exists():
        return folder / DECODER_FILE, folder / ENCODER_FILE
    return new_graphs(checkpoint, window, choice)


def new_graphs(checkpoint: Checkpoint, window: Window, choice: Choice) -> tuple[bytes, bytes]:
    """Decoder and encoder for ``choice``, written now."""
    from mien.lipsync.wav2lip.onnx_graph import decoder_graph, encoder_graph

    network, dtype = checkpoint.architecture, _compute_dtype(choice)
    folded = fold(network, checkpoint.state)
    decoder = decoder_graph(network, folded, window, feature_dtype=dtype, compute_dtype=dtype)
    encoder = encoder_graph(network, folded, window, feature_dtype=dtype)
    return decoder.SerializeToString(), encoder.SerializeToString()


def _compute_dtype(choice: Choice) -> type[np.floating[Any]]:
    return np.float16 if choice.precision == "fp16" else np.float32


def _quantised(
    checkpoint: Checkpoint, window: Window, choice: Choice, folder: Path | None
) -> tuple[Path, Path]:
    made = artefact_folder(checkpoint, window, choice)
    decoder, encoder = (folder or made) / DECODER_FILE, (folder or made) / ENCODER_FILE
    whole = decoder.is_file() and encoder.is_file()
    if not whole or (folder is None and figures(made) is None):
        raise BackendError(
            f"there is no int8 network of {checkpoint.name} yet",
            "make it with: mien models optimize wav2lip --backend onnxruntime",
        )
    return decoder, encoder


class OnnxBackend:
    """A :class:`~mien.lipsync.wav2lip.backend.Backend`.

    The encoder is loaded when it is first needed: with cached features that may be never.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        window: Window,
        choice: Choice,
        decoder: Model,
        encoder: Model,
        engines: Path | None = None,
    ) -> None:
        """engines: folder for TensorRT's engine; None = where ``mien models optimize`` puts it."""
        self.choice = choice
        self.window = window
        # Not the checkpoint: its tensors would stay in memory beside the graph's.
        self.architecture: Architecture = checkpoint.architecture
        self._engines = engines or artefact_folder(checkpoint, window, choice) / "engine"
        self._encoder_model: Model | None = encoder
        self._encoder: Any = None
        self._decoder: Any = self._session(decoder, choice)
        given = {value.name: value for value in self._decoder.get_inputs()}["features"]
        if given.shape[1:] != [window.values]:
            raise BackendError(
                f"the graph takes {given.shape[1:]} features, this window has {window.values}",
                "make it anew with: mien models optimize wav2lip",
            )
        self.feature_dtype: np.dtype[Any] = np.dtype(_DTYPES[given.type])
        self.batch_sizes = BATCH_SIZES_CPU if choice.device == "cpu" else BATCH_SIZES_GPU
        self._warm_up()

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        if self._encoder is None:
            if self._encoder_model is None:
                raise BackendError("this back end is closed", "load it again")
            # TensorRT would spend minutes on a graph that runs once per picture of a clip.
            device = "cuda" if self.choice.device == "tensorrt" else self.choice.device
            self._encoder = self._session(
                self._encoder_model, Choice("onnxruntime", "fp32", device, self.choice.threads)
            )
        features: NDArray[Any] = self._encoder.run(None, {"faces": faces})[0]
        return features

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        if self._decoder is None:
            raise BackendError("this back end is closed", "load it again")
        inputs = {"mel": mels[:, None], "features": features}
        painted: NDArray[np.float32] = self._decoder.run(None, inputs)[0]
        return painted

    def close(self) -> None:
        self._decoder = self._encoder = self._encoder_model = None

    def _warm_up(self) -> None:
        """What is decided at the first run of a size is decided now; on a CPU sizes are alike."""
        started = time.perf_counter()
        for size in self.batch_sizes if self.choice.device != "cpu" else (1,):
            mels = np.full((size, 80, 16), -4, np.float32)
            self.decode(mels, np.zeros((size, self.window.values), self.feature_dtype))
        _log.info("%s is ready after %.1f s", self.choice, time.perf_counter() - started)

    def _session(self, model: Model, choice: Choice) -> Any:
        import onnxruntime

        load_gpu_libraries(choice.device)
        timing = cache_folder() / "tensorrt-timing"
        if choice.device == "tensorrt":
            self._engines.mkdir(parents=True, exist_ok=True)
            timing.mkdir(parents=True, exist_ok=True)
            if not any(self._engines.iterdir()):
                _log.warning("TensorRT builds its engine, once: this takes minutes")
        try:
            session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model),
                session_options(choice),
                providers=provider_list(choice, self.window, self._engines, timing),
            )
        except Exception as error:  # the library has no base class for what it raises
            raise BackendError(
                f"ONNX Runtime cannot load the network ({error})",
                "if it comes from mien models optimize, run that again",
            ) from error
        # A provider whose libraries do not load is only logged, and the next one taken.
        running = session.get_providers()
        if PROVIDERS[choice.device] not in running:
            raise BackendError(
                f"ONNX Runtime could not start {PROVIDERS[choice.device]}; "
                f"it would have run on {running[0]}",
                "its log above names the library it misses; install that or choose the device cpu",
            )
        return session


def session_options(choice: Choice) -> Any:
    """onnxruntime.SessionOptions for a server that encodes video beside this."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = choice.thread_count if choice.device == "cpu" else 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Threads that wait turning take the cores that encode video. With both cores busy otherwise:
    # 74 instead of 51 CPU ms per 96-pixel face, ready after 211 instead of 118 ms.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
