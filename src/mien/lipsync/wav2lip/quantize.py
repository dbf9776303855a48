"""8-bit integers for the network: which range of values each convolution sees, and what it costs.

What enters a convolution (never negative behind a ReLU) becomes uint8, one scale for the tensor;
weights become int8, symmetric, one scale per output channel. Both are chosen from what the network
does on sample frames. Nagel et al., "A White Paper on Neural Network Quantization", 2021; the
correction of biases is from Nagel et al., "Data-Free Quantization Through Weight Equalization and
Bias Correction", ICCV 2019.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture, Conv
from mien.lipsync.wav2lip.backend import Backend

LEVELS = 255
"""Steps of a uint8 activation."""

KEPT_PER_FRAME = 2048
"""Values of a tensor that are kept of each sample frame to choose its range by."""

CLIPPINGS = np.linspace(1, 0.5, 26)
"""Shares of the largest value seen that are tried as the end of a range."""


@dataclass(frozen=True)
class Quantisation:
    """What turns a folded network into an int8 one.

    highest: by ``Conv.name``, the value of the input that becomes 255; 0 stays 0, what is larger is
        cut off. A convolution that is not in it is computed in floating point.
    means: by ``Conv.name``, float32[cin]: mean of the input's channels, for correcting biases.
    sums: by ``Conv.name``, the largest size of what it adds to its result that is computed before;
        becomes -127…127, kept as uint8 with 128 for 0.
    """

    highest: Mapping[str, float]
    means: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    sums: Mapping[str, float] = field(default_factory=dict)

    def step(self, name: str) -> np.float32:
        """What one step of the uint8 input of convolution ``name`` is worth."""
        return np.float32(self.highest[name] / LEVELS)

    def without(self, *names: str) -> Quantisation:
        """The same with convolutions whose name begins with one of ``names`` left in float."""
        kept = {k: v for k, v in self.highest.items() if not k.startswith(names)}
        return Quantisation(kept, self.means, self.sums)

    def save(self, path: Path) -> None:
        values = {
            "highest": dict(self.highest),
            "means": {name: [float(m) for m in means] for name, means in self.means.items()},
            "sums": dict(self.sums),
        }
        path.write_text(json.dumps(values), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Quantisation:
        """Raises OSError, or ValueError for anything but what ``save`` wrote."""
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        try:
            means = {k: np.array(v, np.float32) for k, v in values["means"].items()}
            highest = {k: float(v) for k, v in values["highest"].items()}
            return Quantisation(highest, means, {k: float(v) for k, v in values["sums"].items()})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no quantisation") from error


class Observer:
    """Collects what enters one convolution, frame by frame."""

    def __init__(self) -> None:
        self._highest = 0.0
        self._kept: list[NDArray[np.float32]] = []
        self._means: list[NDArray[np.float64]] = []
        self._random = np.random.default_rng(0)

    def see(self, values: NDArray[np.float32]) -> None:
        """values: float32[n, channels, rows, columns], not negative."""
        if values.min() < 0:
            raise ValueError("only values behind a ReLU become uint8")
        self._highest = max(self._highest, float(values.max()))
        self._means.append(values.mean(axis=(0, 2, 3), dtype=np.float64))
        flat = values.reshape(-1)
        chosen = self._random.integers(0, flat.size, min(KEPT_PER_FRAME, flat.size))
        self._kept.append(flat[chosen])

    @property
    def highest(self) -> float:
        """End of the range that loses least: mean squared error of rounding and of cutting off."""
        values = np.concatenate(self._kept)
        ends = self._highest * CLIPPINGS
        errors = [np.mean((values - _rounded(values, end)) ** 2) for end in ends]
        return float(ends[int(np.argmin(errors))]) or 1.0

    @property
    def means(self) -> NDArray[np.float32]:
        means: NDArray[np.float32] = np.mean(self._means, axis=0).astype(np.float32)
        return means


def _rounded(values: NDArray[np.float32], highest: float) -> NDArray[np.float32]:
    step = max(highest, 1e-12) / LEVELS
    rounded: NDArray[np.float32] = np.clip(np.rint(values / step), 0, LEVELS) * np.float32(step)
    return rounded


def integer_weights(
    conv: Conv, weight: NDArray[np.float32]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as int8[...] in -127…127 of the same shape, and float32 scales per output channel.

    The scales are shaped so that ``integers * scales`` is the weight again, to rounding.
    """
    channel = 1 if conv.transposed else 0
    others = tuple(axis for axis in range(4) if axis != channel)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(weight / scales).astype(np.int8), scales


def corrected_bias(
    conv: Conv,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    means: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The bias that makes up for what rounding the weights adds on average.

    means: float32[cin] of the input's channels.
    """
    integers, scales = integer_weights(conv, weight)
    lost = weight.astype(np.float64) - integers * scales.astype(np.float64)
    taps = lost.sum(axis=(2, 3))
    per_pixel = taps
    if conv.transposed:
        # Input of one pixel: each tap makes another pixel. Else one tap in stride² meets a pixel.
        meets = conv.stride if conv.stride != (1, 1) else conv.kernel
        per_pixel = taps.T / (meets[0] * meets[1])
    corrected: NDArray[np.float32] = (bias + per_pixel @ means).astype(np.float32)
    return corrected


def quantised_names(architecture: Architecture) -> tuple[str, ...]:
    """Convolutions of the audio encoder, decoder and output that may be int8: all but the first.

    The first sees the mel spectrogram, which has both signs and only one channel.
    """
    decoder = [conv for block in architecture.decoder for conv in block]
    return tuple(c.name for c in (*architecture.audio[1:], *decoder, *architecture.output))


def held_out(count: int) -> NDArray[np.bool_]:
    """Which samples are kept for measuring: every fourth. Raises ValueError below 4."""
    if count < 4:
        raise ValueError(f"{count} samples are too few to hold some out; give at least 4")
    held: NDArray[np.bool_] = np.arange(count) % 4 == 3
    return held


def psnr_between(
    one: Backend, other: Backend, faces: NDArray[np.uint8], mels: NDArray[np.float32]
) -> float:
    """dB of what ``one`` paints against what ``other`` does, each from features of its own.

    faces: uint8[n, S, S, 3] RGB; mels: float32[n, 80, 16], one for each.
    """
    squares = []
    for index in range(len(faces)):
        face, mel = faces[index : index + 1], mels[index : index + 1]
        painted, wanted = (b.decode(mel, b.encode(face)) for b in (one, other))
        squares.append(np.mean((painted.astype(np.float64) - wanted) ** 2))
    return float(10 * np.log10(1 / max(float(np.mean(squares)), 1e-20)))
