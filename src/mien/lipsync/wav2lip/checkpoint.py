"""Checkpoints: a network's weights, known to be whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mien.lipsync.wav2lip.architecture import Architecture
from mien.lipsync.wav2lip.weights import State


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one network.

    state: every tensor of ``architecture``, float32, in its shape.
    sha256: of the numbers, not of the file: the same weights in another format are the same
        checkpoint to whatever is cached under it.
    name: for people; a file's name or what the weights are.
    """

    architecture: Architecture
    state: State
    sha256: str
    name: str


def checkpoint_of(architecture: Architecture, state: State, name: str) -> Checkpoint:
    """A checkpoint of weights that are in memory already, such as seeded ones."""
    digest = hashlib.sha256()
    for key in architecture.parameters():
        digest.update(key.encode())
        digest.update(state[key].tobytes())
    return Checkpoint(architecture, state, digest.hexdigest(), name)
