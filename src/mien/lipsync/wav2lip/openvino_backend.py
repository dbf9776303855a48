"""Wav2Lip on OpenVINO: any processor in float32 and int8, in bfloat16 where it has that."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.artefacts import artefact_folder
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.quantize import Quantisation
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import Window
from mien.machine import bf16_pays

QUANTISATION_FILE = "openvino.json"

BATCH_SIZES = (1, 2, 4)
"""Eight at once are no cheaper per picture than four, and the first of them would wait longer."""

_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def choices() -> list[Choice]:
    """What this machine runs well, best first. int8 needs ``mien models optimize`` first.

    bfloat16 only where it is faster than float32: with AMX, and on AMD since Zen 4. Intel's
    AVX-512 units alone multiply it no faster and convert besides (57 ms instead of 40 a picture
    on one core); it can be loaded there by name.
    """
    if why_not():
        return []
    fast = ["bf16"] if has_bf16() and bf16_pays() else []
    return [Choice("openvino", precision) for precision in ("int8", *fast, "fp32")]  # type: ignore[arg-type]


def why_not() -> str:
    """Why there is no choice at all, and what helps; empty if there is one."""
    if find_spec("openvino") is None:
        return "openvino is not installed: pip install 'mien[wav2lip]'"
    return ""


def has_bf16() -> bool:
    """Whether the processor has instructions for it; emulated ones would only be slow."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def load(
    checkpoint: Checkpoint,
    window: Window,
    choice: Choice,
    quantised: Path | None = None,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
) -> OpenVinoBackend:
    """The network, ready to run.

    quantised: folder of what int8 needs; None = where ``mien models optimize`` puts it.
    batch_sizes: ascending.
    Raises:
        BackendError: what is missing or wrong, and what to do about it.
    """
    if choice.precision not in _HINTS or choice.device != "cpu":
        raise BackendError(
            f"OpenVINO runs no {choice.precision} network on {choice.device} here",
            "choose " + ", ".join(_HINTS) + " on cpu",
        )
    if missing := why_not():
        raise BackendError(f"OpenVINO cannot run the network: {missing}", "")
    if choice.precision == "bf16" and not has_bf16():
        raise BackendError("this processor has no bfloat16 instructions", "choose fp32 or int8")
    quantisation = None
    if choice.precision == "int8":
        quantisation = _quantisation(checkpoint, window, choice, quantised)
    return OpenVinoBackend(checkpoint, window, choice, quantisation, batch_sizes)


def _quantisation(
    checkpoint: Checkpoint, window: Window, choice: Choice, folder: Path | None
) -> Quantisation:
    path = (folder or artefact_folder(checkpoint, window, choice)) / QUANTISATION_FILE
    command = "mien models optimize wav2lip --backend openvino"
    try:
        return Quantisation.load(path)
    except FileNotFoundError:
        raise BackendError(
            f"there is no int8 network of {checkpoint.name} yet", f"make it with: {command}"
        ) from None
    except (OSError, ValueError) as error:
        raise BackendError(f"{path} cannot be used ({error})", f"make it anew: {command}") from None


class OpenVinoBackend:
    """A :class:`~mien.lipsync.wav2lip.backend.Backend`. One compiled model per batch size.

    All sizes of the decoder are compiled at once (0.3 s each), so that the first batch of a size
    is not late; the encoder when it is first needed: with cached features that may be never.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        window: Window,
        choice: Choice,
        quantisation: Quantisation | None = None,
        batch_sizes: tuple[int, ...] = BATCH_SIZES,
    ) -> None:
        """quantisation: for choices of int8. batch_sizes: ascending."""
        from mien.lipsync.wav2lip import openvino_graph as graph

        self.choice = choice
        self.window = window
        self.batch_sizes = batch_sizes
        self.feature_dtype: np.dtype[Any] = np.dtype(np.float32)
        if choice.precision == "bf16":
            self.feature_dtype = np.dtype(np.float16)  # keeps more of a value than bfloat16 does
        self._quantisation = quantisation or graph.FLOAT
        parts = graph.feature_parts(window)
        if all(part.reader in self._quantisation.highest for part in parts):
            self.feature_dtype = np.dtype(np.uint8)
        self.feature_values = sum(part.values for part in parts)
        self._architecture = checkpoint.architecture
        self._folded = fold(checkpoint.architecture, checkpoint.state)
        self._encoders: dict[int, Runner] = {}
        self._decoders = {
            size: Runner(
                self.compiled(
                    graph.decoder_model(
                        self._architecture,
                        self._folded,
                        window,
                        size,
                        quantisation=self._quantisation,
                        feature_dtype=self.feature_dtype,
                        merge=choice.precision == "fp32",
                    ),
                    _HINTS[choice.precision],
                )
            )
            for size in batch_sizes
        }
        self._warm_up()

    @property
    def architecture(self) -> Architecture:
        return self._architecture

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        self._check_open()
        size = len(faces)
        if size not in self._encoders:
            from mien.lipsync.wav2lip.openvino_graph import encoder_model

            model = encoder_model(
                self._architecture,
                self._folded,
                self.window,
                size,
                quantisation=self._quantisation,
                feature_dtype=self.feature_dtype,
            )
            self._encoders[size] = Runner(self.compiled(model))
        return self._encoders[size](faces)

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        self._check_open()
        return self._decoders[len(mels)](mels[:, None], features)

    def kernels(self) -> list[tuple[str, str]]:
        """Type of each layer that one picture is decoded by and the kernel chosen for it."""
        self._check_open()
        runtime = self._decoders[self.batch_sizes[0]].compiled.get_runtime_model()
        infos = [node.get_rt_info() for node in runtime.get_ops()]
        return [(info["layerType"].value, info["primitiveType"].value) for info in infos]

    def close(self) -> None:
        self._decoders = {}
        self._encoders = {}

    def _check_open(self) -> None:
        if not self._decoders:
            raise BackendError("this back end is closed", "load it again")

    def _warm_up(self) -> None:
        for size in self.batch_sizes:
            mels = np.full((size, 80, 16), -4, np.float32)
            self.decode(mels, np.zeros((size, self.feature_values), self.feature_dtype))

    def compiled(self, model: Any, hint: str = "f32") -> Any:
        """A model on this back end's threads."""
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.choice.thread_count,
            "INFERENCE_PRECISION_HINT": hint,
        }
        return _core().compile_model(model, "CPU", options)


class Runner:
    """A compiled model of one output, and its memory.

    Copying inputs there takes 10 µs; lending the model ours, and its results in a dictionary, 200.
    """

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self._request = compiled.create_infer_request()
        self._inputs = [self._request.get_input_tensor(i).data for i in range(len(compiled.inputs))]
        # Of fixed shape, so it stays where it is.
        self._output = self._request.get_output_tensor(0).data

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """inputs: of the model's shapes and dtypes, or ValueError. Returns an array of its own."""
        for memory, array in zip(self._inputs, inputs, strict=True):
            if (array.shape, array.dtype) != (memory.shape, memory.dtype):
                raise ValueError(
                    f"expected {memory.dtype}{list(memory.shape)}, "
                    f"got {array.dtype}{list(array.shape)}"
                )
            memory[...] = array
        self._request.start_async()
        self._request.wait()
        result: NDArray[Any] = self._output.copy()
        return result


@lru_cache(maxsize=1)
def _core() -> Any:
    import openvino

    return openvino.Core()
