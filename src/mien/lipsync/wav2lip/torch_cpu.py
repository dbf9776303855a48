"""Wav2Lip on a processor through PyTorch."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.backend import BackendError, Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.torch_backend import as_writable
from mien.lipsync.wav2lip.torch_layers import Decoder, Encoder, PackedLayer, PlainLayer
from mien.lipsync.wav2lip.weights import fold
from mien.lipsync.wav2lip.window import Window
from mien.passive_torch import torch

BATCH_SIZES = (1, 2, 4, 8)

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class CpuBackend:
    """A :class:`~mien.lipsync.wav2lip.backend.Backend` in float32 or bfloat16.

    Pictures are always encoded in float32: that is done once, and what is kept of them in float16
    holds more of a value than bfloat16 does.
    """

    def __init__(
        self, checkpoint: Checkpoint, window: Window, choice: Choice, packed: bool | None = None
    ) -> None:
        """packed: whether to use oneDNN's own layers; None = where they work."""
        self.choice = choice
        self.window = window
        self.batch_sizes = BATCH_SIZES
        dtype = _DTYPES[choice.precision]
        self._kept = torch.float32 if dtype == torch.float32 else torch.float16
        self.feature_dtype: np.dtype[Any] = torch.empty(0, dtype=self._kept).numpy().dtype
        folded = fold(checkpoint.architecture, checkpoint.state)
        if packed is None:
            packed = PackedLayer.works(torch.float32) and PackedLayer.works(dtype)
        layer = PackedLayer if packed else PlainLayer
        self._networks: tuple[Encoder, Decoder] | None = (
            Encoder(folded, window, partial(layer, dtype=torch.float32)),
            Decoder(folded, window, partial(layer, dtype=dtype), dtype),
        )
        self.decode(  # packs the weights
            np.zeros((1, 80, 16), np.float32), np.zeros((1, window.values), self.feature_dtype)
        )

    @property
    def architecture(self) -> Architecture:
        return self.window.architecture

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        encoder, _ = self._open()
        with torch.inference_mode():
            pictures = torch.from_numpy(as_writable(faces))
            features: NDArray[Any] = encoder(pictures, torch.float32, self._kept).numpy()
            return features

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        _, decoder = self._open()
        with torch.inference_mode():
            sound = torch.from_numpy(as_writable(mels))[:, None]
            kept = torch.from_numpy(as_writable(features))
            painted: NDArray[np.float32] = decoder(sound, kept).numpy()
            return painted

    def close(self) -> None:
        self._networks = None

    def _open(self) -> tuple[Encoder, Decoder]:
        if self._networks is None:
            raise BackendError("this back end is closed", "load it again")
        # PyTorch's count holds for the calling thread and those that start later.
        if torch.get_num_threads() != self.choice.thread_count:
            torch.set_num_threads(self.choice.thread_count)
        return self._networks
