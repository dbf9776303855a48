"""The pictures a mouth is painted on, as far as the network needs to know them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Faces(Protocol):
    """The face in every picture of a clip; immutable, called from any thread.

    key: digest of the pictures and of the boxes around the face. What is computed from them is kept
        under it, so it must change when they do.
    """

    @property
    def key(self) -> str: ...

    def __len__(self) -> int:
        """How many pictures; at least one."""
        ...

    def crop(self, frame: int, size: int) -> NDArray[np.uint8]:
        """uint8[size, size, 3] RGB: the face box of picture ``frame`` (0 … len - 1).

        Scaled bilinearly without antialiasing, which is how the weights saw faces in training.
        """
        ...
