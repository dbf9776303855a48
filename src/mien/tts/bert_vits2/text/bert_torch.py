"""A BERT computed by PyTorch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.passive_torch import torch
from mien.tts.bert_vits2.text.bert_network import Bert

functional = torch.nn.functional
Array = NDArray[np.float32]
Tensor = Any


class TorchBert:
    def __init__(self, network: Bert, tensors: Iterable[tuple[str, Array]], device: str) -> None:
        """device: as torch names it; on "cuda" it computes in half precision."""
        dtype = torch.float16 if device.startswith("cuda") else torch.float32
        self._tensors = {k: torch.from_numpy(v).to(device, dtype) for k, v in tensors}
        self._network, self._device = network, device
        with torch.inference_mode():
            self._constants = network.constants(self)

    def run(self, ids: list[int]) -> Array:
        """float32[n, width]. Raises KeyError when a tensor is missing, RuntimeError when wrong."""
        with torch.inference_mode():
            inputs = {
                name: torch.from_numpy(array).to(self._device)
                for name, array in self._network.inputs(ids).items()
            }
            rows: Array = self._network(self, inputs | self._constants).float().cpu().numpy()
        return rows

    # Ops of bert_network.py

    def embed(self, table: str, rows: Tensor) -> Tensor:
        return self._tensors[table][rows]

    def head(self, table: str, count: int) -> Tensor:
        return self._tensors[table][:count]

    def linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, eps)

    def gelu(self, x: Tensor, kind: str) -> Tensor:
        return functional.gelu(x, approximate="tanh" if kind == "gelu_new" else "none")

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def scale(self, x: Tensor, factor: float) -> Tensor:
        return x * factor

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        return x @ y

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def heads(self, x: Tensor, count: int) -> Tensor:
        return x.unflatten(-1, (count, -1)).transpose(0, 1)

    def joined(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1).flatten(1)

    def swapped(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)

    def pick(self, x: Tensor, rows: Tensor) -> Tensor:
        return x.gather(2, rows)
