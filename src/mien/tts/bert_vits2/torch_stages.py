"""The network's three stages run by PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.cuda_graphs import exact_kernels
from mien.passive_torch import torch
from mien.tts.bert_vits2.backend import Choice
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.torch_decoder import RunDecoder
from mien.tts.bert_vits2.torch_network import (
    FlowStage,
    Network,
    TextStage,
    network_of,
)
from mien.tts.bert_vits2.torch_replay import Replayed

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class TorchStages:
    """:class:`~mien.tts.bert_vits2.stages.Stages`. Text and flow are always in float32: what they
    decide is heard, and takes little time."""

    def __init__(self, checkpoint: Checkpoint, choice: Choice) -> None:
        self._device = torch.device(choice.device)
        self._threads = choice.thread_count
        network: Network = network_of(checkpoint).to(self._device)
        self._text, self._flow = TextStage(network), FlowStage(network)
        self._decoder: Any = RunDecoder(network)
        self._dtype = torch.float16 if choice.precision == "fp16" else torch.float32
        for part in self._decoder.children():
            if part is not network.emb_g:  # the other stages need it, too
                part.to(self._dtype)
        if self._device.type == "cuda":
            self._decoder = Replayed(self._decoder)

    def text(
        self,
        ids: Integers,
        tones: Integers,
        languages: Integers,
        lengths: Integers,
        speakers: Integers,
        emotions: Floats,
        noise: Floats,
        berts: Sequence[Floats],
    ) -> tuple[Floats, Floats, Floats]:
        inputs: tuple[NDArray[Any], ...] = (
            ids,
            tones,
            languages,
            lengths,
            speakers,
            emotions,
            noise,
            *berts,
        )
        with self._running():
            stats, stochastic, plain = self._text(*map(self._there, inputs))
            return _here(stats), _here(stochastic), _here(plain)

    def flow(self, latents: Floats, lengths: Integers, speakers: Integers) -> Floats:
        with self._running():
            inputs = self._there(latents), self._there(lengths), self._there(speakers)
            return _here(self._flow(*inputs))

    def decode(self, latents: Floats, speakers: Integers, left: int, right: int) -> Floats:
        with self._running(tried=True):
            z = self._there(latents).to(self._dtype)
            return _here(self._decoder(z, self._there(speakers), left, right))

    def close(self) -> None:
        del self._text, self._flow, self._decoder
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _there(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    @contextmanager
    def _running(self, tried: bool = False) -> Iterator[None]:
        """tried: see ``exact_kernels``; worth it where shapes come again."""
        # PyTorch's count holds for the calling thread and those that start later.
        if self._device.type == "cpu" and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode(), exact_kernels(tried):
            yield


def _here(tensor: torch.Tensor) -> Floats:
    array: Floats = tensor.float().cpu().numpy()
    return array
