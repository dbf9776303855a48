"""Weights as arrays: by state-dict key, folded for running, and seeded for tests."""

from __future__ import annotations

from math import prod, sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.architecture import Architecture, Conv

State = dict[str, NDArray[np.float32]]
"""A network's tensors by state-dict key, without ``module.`` and the counts of training steps."""

Folded = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Weight and bias by ``Conv.name``, the batch norm folded in; shapes as in the state."""

NORM_EPS = 1e-5
"""Added to the variance in every batch norm; the weights were trained with it."""

_SEEDED_GAIN = {
    "audio_encoder": 2.0,
    "face_encoder_blocks": 1.5,
    "face_decoder_blocks": 1.0,
    "output_block": 0.4,
}
"""Chosen so that the output neither saturates nor ignores the audio."""


def fold(architecture: Architecture, state: State) -> Folded:
    """Batch norms in evaluation are a scale and a shift per channel: give them to the convolutions.

    Computed in float64, so that a folded network differs from the unfolded by rounding only.
    """
    return {conv.name: _folded(conv, state) for conv in architecture.convs()}


def _folded(conv: Conv, state: State) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weight, bias = state[f"{conv.key}.weight"], state[f"{conv.key}.bias"]
    if conv.plain:
        return weight, bias
    norm = {
        part: state[f"{conv.norm_key}.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    }
    scale = norm["weight"] / np.sqrt(norm["running_var"] + NORM_EPS)
    per_channel = (1, -1, 1, 1) if conv.transposed else (-1, 1, 1, 1)
    return (
        (weight * scale.reshape(per_channel)).astype(np.float32),
        ((bias - norm["running_mean"]) * scale + norm["bias"]).astype(np.float32),
    )


def seeded_state(architecture: Architecture) -> State:
    """Random weights that are the same everywhere, for tests and benchmarks without a checkpoint.

    Each tensor depends on its key alone. The mouth they paint is noise, but an informative one:
    it moves with the audio and with the face. Takes about 1.5 s (96 pixels).
    """
    state = {}
    for conv in architecture.convs():
        for key, shape in conv.parameters():
            z = np.random.default_rng(crc32(key.encode())).standard_normal(shape)
            state[key] = _seeded(conv, key, z).astype(np.float32)
    return state


def _seeded(conv: Conv, key: str, z: NDArray[np.float64]) -> NDArray[np.float64]:
    if key.endswith("running_var"):
        return 1 + 0.1 * np.abs(z)
    if z.ndim == 4:
        # Only about two of a transposed convolution's nine taps meet in one output value.
        fan = 2 * conv.cin if conv.transposed else prod(conv.weight_shape[1:])
        return z * sqrt(_SEEDED_GAIN[key.partition(".")[0]] / fan)
    if key.endswith(".weight"):
        return 1 + 0.1 * z
    return 0.1 * z
