"""Seeded Wav2Lip weights and the reference numbers that were computed with them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mien.lipsync.wav2lip.architecture import WAV2LIP, WAV2LIP_256, Architecture
from mien.lipsync.wav2lip.checkpoint import Checkpoint, checkpoint_of
from mien.lipsync.wav2lip.weights import seeded_state

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"


def architecture(size: int) -> Architecture:
    return {96: WAV2LIP, 256: WAV2LIP_256}[size]


@cache
def seeded(size: int) -> Checkpoint:
    """Weights by the rule of the reference numbers; ``size`` 96 or 256. Filled once per process."""
    network = architecture(size)
    return checkpoint_of(network, seeded_state(network), f"seeded-{network.name}")


def golden(name: str) -> dict[str, np.ndarray]:
    """Arrays of a reference file such as ``wav2lip96.npz``; skips the test where there is none."""
    with np.load(_golden_file(name)) as arrays:
        return dict(arrays)


def golden_keys(name: str) -> dict:
    """A reference file such as ``wav2lip96.keys.json``; skips the test where there is none."""
    return json.loads(_golden_file(name).read_text(encoding="utf-8"))


def _golden_file(name: str) -> Path:
    path = GOLDEN / name
    if not path.is_file():
        pytest.skip(f"reference numbers are not at hand: {path.name} beside the repository")
    return path
