"""A real back end that tells what it is asked, and can be held or made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mien.tts.bert_vits2.backend import Backend, Choice, Latents, Sentence, Slab
from mien.tts.bert_vits2.variant import Variant

PATIENCE_SEC = 90.0


def well(item: Any) -> Exception | None:
    return None


class Watched:
    """calls: what was computed together, in order: ("latents", seeds) or ("decode", frames).
    fails: gives what to raise for an item. begun: it is being held; opened: set it to go on."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.begun = threading.Event()
        self.opened = threading.Event()
        self.forget()

    def forget(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.fails: Callable[[Any], Exception | None] = well
        self.closed = False
        self.opened.set()
        self._free = 0

    def hold(self, at: int = 1) -> None:
        """Stop within the ``at``-th call from now, and any later one."""
        self.begun.clear()
        self.opened.clear()
        self._free = len(self.calls) + at - 1

    @property
    def choice(self) -> Choice:
        return self.backend.choice

    @property
    def variant(self) -> Variant:
        return self.backend.variant

    @property
    def hop(self) -> int:
        return self.backend.hop

    @property
    def sample_rate(self) -> int:
        return self.backend.sample_rate

    def latents(self, batch: Sequence[Sentence]) -> list[Latents]:
        self._enter("latents", [sentence.seed for sentence in batch], batch)
        return self.backend.latents(batch)

    def decode(self, slabs: Sequence[Slab]) -> list[np.ndarray]:
        frames = [slab.z.shape[1] - slab.left - slab.right for slab in slabs]
        self._enter("decode", frames, slabs)
        return self.backend.decode(slabs)

    def close(self) -> None:
        """Not the back end's end: other tests need it."""
        self.closed = True

    def shut(self) -> None:
        self.backend.close()

    def _enter(self, what: str, numbers: list[int], items: Sequence[Any]) -> None:
        self.calls.append((what, numbers))
        if len(self.calls) > self._free:
            self.begun.set()
            assert self.opened.wait(PATIENCE_SEC)
        for item in items:
            if (error := self.fails(item)) is not None:
                raise error
