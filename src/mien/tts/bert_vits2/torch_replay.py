"""The decoder on a GPU: recorded for every shape that comes again.

It is some 250 kernels, most of them shorter than it takes to start one. Pieces of sentences come in
a dozen widths (``streaming.plan``), which are recorded when they are met for the second time; a
whole sentence's width is hardly ever met again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mien.cuda_graphs import CudaGraphs, Recorder
from mien.passive_torch import torch
from mien.tts.bert_vits2.torch_decoder import RunDecoder

MOST = 64
"""Recordings that are kept: those that first came. Each holds its input and result, some 0.5 MB."""

_Shape = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class _Recording:
    """Buffers that stay in place, and what computes the result anew from them."""

    latents: torch.Tensor
    speakers: torch.Tensor
    sound: torch.Tensor
    again: Callable[[], None]


class Replayed:
    """Called as :class:`RunDecoder` is."""

    def __init__(self, decoder: RunDecoder, recorder: Recorder | None = None) -> None:
        """recorder: another for machines without a GPU, where all but the recording runs."""
        self._decoder = decoder
        self._recorder = recorder or CudaGraphs()
        self._met: set[_Shape] = set()
        self._recordings: dict[_Shape, _Recording] = {}

    def __call__(
        self, latents: torch.Tensor, speakers: torch.Tensor, left: int, right: int
    ) -> torch.Tensor:
        """The result is overwritten by the next call of the same shape."""
        shape = (latents.shape[0], latents.shape[2], left, right)
        if shape not in self._recordings:
            if shape not in self._met or len(self._recordings) >= MOST:
                self._met.add(shape)
                sound: torch.Tensor = self._decoder(latents, speakers, left, right)
                return sound
            self._recordings[shape] = self._recorded(latents, speakers, left, right)
        recording = self._recordings[shape]
        recording.latents.copy_(latents)
        recording.speakers.copy_(speakers)
        recording.again()
        return recording.sound

    def _recorded(
        self, latents: torch.Tensor, speakers: torch.Tensor, left: int, right: int
    ) -> _Recording:
        kept, of_whom = latents.clone(), speakers.clone()
        sound, again = self._recorder(lambda: self._decoder(kept, of_whom, left, right))
        return _Recording(kept, of_whom, sound, again)
