"""Drawn faces that move over the pictures of a clip, and a real back end for them to be fed to."""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.backend import Backend, Choice
from mien.lipsync.wav2lip.backends import load
from mien.lipsync.wav2lip.window import FULL, LOWER, Window
from wav2lip_seeded import narrow

SIDE = 160  # of the pictures


class MovingFaces:
    """A head that sways, blinks and changes light; implements ``Faces``. ``seed``: whose."""

    def __init__(self, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._skin = rng.integers(90, 230, 3)
        self._room = cv2.resize(
            rng.integers(0, 255, (6, 6, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
        )
        self._pictures = [self._picture(2 * np.pi * frame / count) for frame in range(count)]
        drawn = b"".join(picture.tobytes() for picture in self._pictures)
        self.key = hashlib.sha256(drawn).hexdigest()

    def __len__(self) -> int:
        return len(self._pictures)

    def crop(self, frame: int, size: int) -> NDArray[np.uint8]:
        face = self._pictures[frame][24:-16, 32:-32]
        return np.asarray(cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)

    def _picture(self, phase: float) -> NDArray[np.uint8]:
        picture = self._room.copy()
        x, y = 80 + 9 * np.sin(phase), 84 + 4 * np.sin(2 * phase)
        skin = self._skin * (0.9 + 0.1 * np.cos(phase))
        _ellipse(picture, (x, y), (38, 50), skin)
        for side in (-15, 15):
            _ellipse(picture, (x + side, y - 12), (6, 4 * abs(np.cos(phase))), (20, 20, 30))
        _ellipse(picture, (x, y + 4), (4, 9), skin * 0.8)
        _ellipse(picture, (x, y + 26), (14, 5), (150, 50, 60))
        return picture


def _ellipse(
    picture: NDArray[np.uint8], centre: tuple[float, float], axes: tuple[float, float], colour: Any
) -> None:
    """Anti-aliased, to a sixteenth of a pixel."""
    at, size = (tuple(round(16 * value) for value in pair) for pair in (centre, axes))
    tone = tuple(float(level) for level in colour)
    cv2.ellipse(picture, at, size, 0, 0, 360, tone, -1, cv2.LINE_AA, 4)


def load_small(*, full: bool = False, precision: str = "fp32", threads: int = 1) -> Backend:
    """ONNX Runtime, which is there in every installation, with the narrow network."""
    checkpoint = narrow()
    window = (FULL if full else LOWER)(checkpoint.architecture)
    return load(checkpoint, window, Choice("onnxruntime", precision, threads=threads))  # type: ignore[arg-type]


class Watched:
    """A real back end that notes what it is asked, in order, and can be made to wait.

    asked: ("encode" | "decode", items) per call. opened: cleared, the next decode waits for it.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.asked: list[tuple[str, int]] = []
        self.mels: list[NDArray[np.float32]] = []
        self.opened = threading.Event()
        self.opened.set()
        self.begun = threading.Event()  # a decode has begun
        self.closed = threading.Event()

    @property
    def choice(self) -> Choice:
        return self._backend.choice

    @property
    def architecture(self) -> Any:
        return self._backend.architecture

    @property
    def window(self) -> Window:
        return self._backend.window

    @property
    def feature_dtype(self) -> np.dtype[Any]:
        return self._backend.feature_dtype

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        return self._backend.batch_sizes

    @property
    def decoded(self) -> list[int]:
        """Items of every decode."""
        return [count for what, count in self.asked if what == "decode"]

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        self.asked.append(("encode", len(faces)))
        return self._backend.encode(faces)

    def decode(self, mels: NDArray[np.float32], features: NDArray[Any]) -> NDArray[np.float32]:
        self.asked.append(("decode", len(mels)))
        self.mels.append(mels)
        self.begun.set()
        self.opened.wait(60)
        return self._backend.decode(mels, features)

    def close(self) -> None:
        """The real one stays open: tests share it."""
        self.closed.set()


@cache
def small() -> Backend:
    """One for all tests of a process; it is never closed."""
    return load_small()
