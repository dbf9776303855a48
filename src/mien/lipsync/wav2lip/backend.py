"""What runs the network: the contract every back end keeps, and batches of the sizes it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.machine import usable_cores

if TYPE_CHECKING:
    from mien.lipsync.wav2lip.architecture import Architecture
    from mien.lipsync.wav2lip.window import Window

Library = Literal["torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]
Device = Literal["cpu", "cuda", "tensorrt"]

# What starting the network costs beside the pictures in a batch, in pictures. Measured on 2 cores:
# 7.0 ms for one, 24.4 ms for four. A GPU at small batches is busy starting kernels.
OVERHEAD_CPU = 0.2
OVERHEAD_GPU = 4.0


class BackendError(Exception):
    """A back end cannot be had or used here. fix: what somebody can do about it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Choice:
    """One way of running the network. threads: 0 = as many as this process has cores."""

    backend: Library
    precision: Precision
    device: Device = "cpu"
    threads: int = 0

    def __str__(self) -> str:
        return f"{self.backend} {self.precision} ({self.device})"

    @property
    def thread_count(self) -> int:
        return self.threads or usable_cores()


class Backend(Protocol):
    """The network loaded for one window of its output; called from one thread at a time.

    feature_dtype: float32, float16, or uint8 where the graph quantises to it; what ``encode``
        gives and ``decode`` takes, ready to be kept.
    batch_sizes: ascending; the first dimension of what is passed in must be one of them.
    """

    @property
    def choice(self) -> Choice: ...
    @property
    def architecture(self) -> Architecture: ...
    @property
    def window(self) -> Window: ...
    @property
    def feature_dtype(self) -> np.dtype[Any]: ...
    @property
    def batch_sizes(self) -> tuple[int, ...]: ...

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        """What the decoder needs to know of pictures of a face.

        faces: uint8[n, S, S, 3] RGB, whole; the lower half is masked here.
        Returns feature_dtype[n, values]: window.values, or the back end's own ``feature_values``.
        """
        ...

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        """Paint faces.

        mels: float32[n, 80, 16], low frequencies first. features: what ``encode`` gave.
        Returns float32[n, 3, rows, columns], 0…1, blue, green, red: as the network gives it.
        """
        ...

    def close(self) -> None:
        """Give memory and threads back; nothing may be called after it."""
        ...


# -- batches of the sizes there are ------------------------------------------------------


@lru_cache(maxsize=4096)
def batch_plan(
    count: int, sizes: tuple[int, ...], overhead: float = OVERHEAD_CPU
) -> tuple[int, ...]:
    """Sizes of the batches that ``count`` items are cheapest in, largest first.

    Their sum may exceed ``count``; the last batch is then padded.
    overhead: what a batch costs beside its items, in items.

    >>> batch_plan(5, (1, 2, 4, 8))
    (4, 1)
    """
    if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
        raise ValueError(f"batch sizes must be positive and ascending, not {sizes}")
    largest = sizes[-1]
    whole = max(0, count // largest - 1)  # beyond two batches only the rest is worth a thought
    costs: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for items in range(1, count - whole * largest + 1):
        options = []
        for size in sizes:
            cost, plan = costs[max(0, items - size)]
            options.append((cost + size + overhead, len(plan) + 1, (*plan, size)))
        cost, _, plan = min(options)
        costs.append((cost, plan))
    return tuple(sorted((*costs[-1][1], *[largest] * whole), reverse=True))


def in_batches(
    run: Callable[..., NDArray[Any]],
    arrays: Sequence[NDArray[Any]],
    sizes: tuple[int, ...],
    overhead: float = OVERHEAD_CPU,
) -> NDArray[Any]:
    """``run(*arrays)`` for any number of items (at least one): split, and padded to ``sizes``.

    arrays: of equal first dimension, which is also that of the result.
    """
    results, begin, count = [], 0, len(arrays[0])
    for size in batch_plan(count, sizes, overhead):
        end = min(begin + size, count)
        results.append(run(*(_padded(array[begin:end], size) for array in arrays))[: end - begin])
        begin = end
    return results[0] if len(results) == 1 else np.concatenate(results)


def _padded(items: NDArray[Any], size: int) -> NDArray[Any]:
    """The last item again until there are ``size``: real values, so no odd numbers slow things."""
    missing = size - len(items)
    return items if not missing else np.concatenate([items, np.repeat(items[-1:], missing, 0)])


def feature_values(backend: Backend) -> int:
    """Length of a picture's features: the window's, unless the back end keeps other things."""
    return int(getattr(backend, "feature_values", backend.window.values))


def encode(backend: Backend, faces: NDArray[np.uint8]) -> NDArray[Any]:
    """``backend.encode`` for any number of faces."""
    return in_batches(backend.encode, [faces], backend.batch_sizes, _overhead(backend))


def decode(
    backend: Backend, mels: NDArray[np.float32], features: NDArray[Any]
) -> NDArray[np.float32]:
    """``backend.decode`` for any number of items."""
    return in_batches(backend.decode, [mels, features], backend.batch_sizes, _overhead(backend))


def _overhead(backend: Backend) -> float:
    return OVERHEAD_CPU if backend.choice.device == "cpu" else OVERHEAD_GPU


def as_pictures(painted: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8[n, rows, columns, 3] RGB of what ``decode`` gives; cut, not rounded, as published."""
    levels = (painted * np.float32(255)).astype(np.uint8)
    return np.ascontiguousarray(levels[:, ::-1].transpose(0, 2, 3, 1))
