"""What runs the network: the contract every back end keeps, and loading one.

A sentence is spoken in two steps. ``latents`` turns phones into how long each lasts and into a row
of latent frames: cheap, but it needs the whole sentence at once. ``decode`` turns any part of that
row into sound: nearly all of the work, which can be done piece by piece (``streaming.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.machine import usable_cores
from mien.tts.bert_vits2.variant import Variant

Library = Literal["torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "fp16"]
Device = Literal["cpu", "cuda"]


class BackendError(Exception):
    """A back end cannot be had or used here. fix: what somebody can do about it; zh: both."""

    def __init__(self, problem: str, fix: str, zh: str = "") -> None:
        said = f"{problem}; {fix}" if fix else problem
        super().__init__(said)
        self.problem = problem
        self.fix = fix
        self.zh = zh or said


@dataclass(frozen=True, slots=True)
class Choice:
    """One way of running the network. threads: 0 = as many as this process has cores."""

    backend: Library
    precision: Precision = "fp32"
    device: Device = "cpu"
    threads: int = 0

    def __str__(self) -> str:
        return f"{self.backend} {self.precision} ({self.device})"

    @property
    def thread_count(self) -> int:
        return self.threads or usable_cores()


@dataclass(frozen=True, eq=False)
class Sentence:
    """One sentence for the network: n symbols, blanks between them where the voice wants those.

    ids, tones, languages: int64[n].
    bert: float32[width, n] by the names in ``Variant.bert_widths``; zeros for those left out.
    emotion: float32[``Variant.emotion_width``], the number of a code (2.1 only), or None: neutral.
    speed: 1 is the voice's own. noise: variety of the sound; noise_w: of the durations.
    sdp_ratio: how much of the durations is taken from the stochastic predictor, 0…1.
    seed: of both noises; the same sentence with the same seed sounds the same on every back end.
    """

    ids: NDArray[np.int64]
    tones: NDArray[np.int64]
    languages: NDArray[np.int64]
    bert: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    emotion: NDArray[np.float32] | int | None = None
    speaker: int = 0
    speed: float = 1.0
    noise: float = 0.6
    noise_w: float = 0.8
    sdp_ratio: float = 0.2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Latents:
    """A sentence that is ready to be decoded.

    durations: int64[n], frames that each symbol lasts, which can be 0 where the noise is large;
        one frame is ``Backend.hop`` samples. z: float32[channels, sum of durations].
    """

    durations: NDArray[np.int64]
    z: NDArray[np.float32]
    speaker: int


@dataclass(frozen=True, eq=False)
class Slab:
    """A part of a sentence's latents to be decoded.

    z: float32[channels, m]. left, right: how many of its frames at the sides are there only to be
        heard by the network; their sound is not given back. See ``streaming.Piece.of``.
    """

    z: NDArray[np.float32]
    speaker: int
    left: int = 0
    right: int = 0


class Backend(Protocol):
    """The network with one voice's weights; called from one thread at a time.

    hop: samples of one latent frame. sample_rate: Hz.
    """

    @property
    def choice(self) -> Choice: ...
    @property
    def variant(self) -> Variant: ...
    @property
    def hop(self) -> int: ...
    @property
    def sample_rate(self) -> int: ...

    def latents(self, batch: Sequence[Sentence]) -> list[Latents]:
        """Durations and latents of sentences, computed together; none changes another's.

        Raises ValueError for a sentence that this voice cannot be given; it says what is wrong.
        """
        ...

    def decode(self, slabs: Sequence[Slab]) -> list[NDArray[np.float32]]:
        """Sound: float32[(m - left - right) * hop] of each, -1…1.

        Slabs of the same m, left and right are computed together.
        """
        ...

    def close(self) -> None:
        """Give memory and threads back; nothing may be called after it."""
        ...
