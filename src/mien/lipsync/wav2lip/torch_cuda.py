"""Wav2Lip on an NVIDIA GPU through PyTorch: float16, and every batch size recorded beforehand.

At small batches a GPU waits for the processor to start its kernels, some fifty per picture. CUDA
graphs start them all at once: the decoder is run once per batch size while it is recorded, and
from then on the recording is replayed on the same buffers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.cuda_graphs import CudaGraphs, Recorder, exact_kernels
from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.torch_backend import as_writable
from mien.lipsync.wav2lip.torch_layers import Decoder, Encoder, PlainLayer
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import Window
from mien.passive_torch import torch

BATCH_SIZES = (1, 2, 4, 8, 16, 32)

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


class CudaBackend:
    """A :class:`~mien.lipsync.wav2lip.backend.Backend`; float32 without TF32, float16 for speed.

    Raises BackendError where the GPU's memory does not suffice.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        window: Window,
        choice: Choice,
        batch_sizes: tuple[int, ...] = BATCH_SIZES,
        device: str = "cuda",
        recorder: Recorder | None = None,
    ) -> None:
        """device, recorder: others for machines without a GPU, where all but the recording runs."""
        self.choice = choice
        self.window = window
        self.batch_sizes = batch_sizes
        self._device = torch.device(device)
        self._dtype = _DTYPES[choice.precision]
        self.feature_dtype: np.dtype[Any] = torch.empty(0, dtype=self._dtype).numpy().dtype
        folded = fold(checkpoint.architecture, checkpoint.state)
        layer = partial(PlainLayer, dtype=self._dtype, device=self._device)
        try:
            self._encoder: Encoder | None = Encoder(folded, window, layer)
            decoder = Decoder(folded, window, layer, self._dtype)
            record = recorder or CudaGraphs()
            # Largest first: the smaller ones then find room in the memory it took.
            self._batches = {
                size: _FixedBatch(decoder, window, size, self._dtype, self._device, record)
                for size in reversed(batch_sizes)
            }
        except torch.cuda.OutOfMemoryError as error:
            raise BackendError(
                "the GPU has too little free memory for the network",
                "end other programs that use it, or choose the device cpu",
            ) from error

    @property
    def architecture(self) -> Architecture:
        return self.window.architecture

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        if self._encoder is None:
            raise BackendError("this back end is closed", "load it again")
        with torch.inference_mode(), exact_kernels():
            pictures = torch.from_numpy(as_writable(faces)).to(self._device)
            features: NDArray[Any] = self._encoder(pictures, self._dtype, self._dtype).cpu().numpy()
            return features

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        if self._encoder is None:
            raise BackendError("this back end is closed", "load it again")
        return self._batches[len(mels)].decode(mels, features)

    def close(self) -> None:
        self._encoder = None
        self._batches.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


class _FixedBatch:
    """The decoder for one batch size, on buffers that stay where they are."""

    def __init__(
        self,
        decoder: Decoder,
        window: Window,
        size: int,
        dtype: torch.dtype,
        device: torch.device,
        record: Recorder,
    ) -> None:
        # Copies to and from the GPU run beside the processor only if its memory stays in place.
        pinned = device.type == "cuda"
        self._mels_here = torch.zeros((size, 1, 80, 16), pin_memory=pinned)
        self._features_here = torch.zeros((size, window.values), dtype=dtype, pin_memory=pinned)
        self._painted_here = torch.zeros((size, 3, *window.shape), pin_memory=pinned)
        self._mels = self._mels_here.to(device, copy=True)
        self._features = self._features_here.to(device, copy=True)
        self._device = device
        with torch.inference_mode(), exact_kernels():
            self._painted, self._again = record(lambda: decoder(self._mels, self._features))

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        self._mels_here.numpy()[:, 0] = mels
        self._features_here.numpy()[:] = features
        with torch.inference_mode():
            self._mels.copy_(self._mels_here, non_blocking=True)
            self._features.copy_(self._features_here, non_blocking=True)
            self._again()
            self._painted_here.copy_(self._painted, non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        painted: NDArray[np.float32] = self._painted_here.numpy().copy()
        return painted
