"""Work of an NVIDIA GPU recorded once and replayed: starting its kernels one by one costs more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mien.passive_torch import torch

Recorder = Callable[[Callable[[], torch.Tensor]], tuple[torch.Tensor, Callable[[], None]]]
"""Runs a function of fixed buffers; gives its result, and what computes it anew in place."""


class CudaGraphs:
    """A recorder of CUDA graphs. All share one pool of memory: only one of them runs at a time."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], None]]:
        # A recording must not contain the choice of kernels, nor anything that is done only once.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            result = run()
        self._pool = self._pool or graph.pool()
        return result, graph.replay


def exact_kernels(tried: bool = True) -> Any:
    """cuDNN does not round float32 to TF32 unasked. tried: it tries its kernels once per shape."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=tried, deterministic=False, allow_tf32=False
    )
