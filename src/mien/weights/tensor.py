"""Tensors that lie in a file: their shape is known, their numbers are read when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class CheckpointError(ValueError):
    """A file that cannot be used as weights; the message says why and what to do."""


FLOATS = {"f8": "<f8", "f4": "<f4", "f2": "<f2", "bf2": "<u2"}
"""NumPy's name of each kind of number that weights may be kept in. It has none for bfloat16."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A view into a row of numbers in a file.

    kind: "f4", "bf2", "i8", … : what the numbers are, ending in the bytes of each.
    offset, strides: in numbers, from the row's beginning. numbers: how many the row has.
    read: gives the row, as bytes.
    """

    kind: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    numbers: int
    read: Callable[[], bytes | memoryview]

    def float32(self, key: str) -> NDArray[np.float32]:
        """A copy in C order. The caller has judged the shape: it may ask for any amount of memory.

        key: the tensor's name, for errors.
        Raises CheckpointError where it reaches beyond its row or holds no usable numbers.
        """
        if self.kind not in FLOATS:
            raise CheckpointError(
                f"{key} is kept as {self.kind}, not as floating-point numbers; quantised weights "
                "cannot be used, take the original checkpoint"
            )
        row = np.frombuffer(self.read(), FLOATS[self.kind])
        self._check_bounds(key, row.size)
        itemsize = row.itemsize
        view = np.lib.stride_tricks.as_strided(
            row[self.offset :],
            self.shape,
            tuple(stride * itemsize for stride in self.strides),
            writeable=False,
        )
        if self.kind == "bf2":
            values = (view.astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf: refused below
                values = view.astype(np.float32, order="C")
        if not np.isfinite(values).all():
            raise CheckpointError(
                f"{key} holds infinite values or values that are not numbers; the file is damaged "
                "or its training failed"
            )
        return values

    def _check_bounds(self, key: str, available: int) -> None:
        axes = len(self.shape)
        if len(self.strides) != axes or min(self.offset, *self.strides, *self.shape) < 0:
            raise CheckpointError(f"{key} has an impossible layout; the file is damaged")
        steps = [(side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True)]
        last = self.offset + sum(steps)
        if not last < min(self.numbers, available):
            raise CheckpointError(
                f"{key} reaches beyond its {min(self.numbers, available)} stored numbers; the "
                "file is damaged, get it again"
            )
