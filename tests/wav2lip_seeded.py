"""Seeded Wav2Lip weights and the reference numbers that were computed with them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mien.lipsync.wav2lip.architecture import WAV2LIP, WAV2LIP_256, Architecture, Conv
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


NARROW = 8
FILES_HOLD = "mien.lipsync.wav2lip.checkpoint.WAV2LIP"
"""The network that files of weights are taken for."""


@cache
def narrow() -> Checkpoint:
    """The 96-pixel network with an eighth of the channels, seeded: what does not depend on the
    published widths is seen in a sixty-fourth of the time."""

    def thin(conv: Conv) -> Conv:
        cin, cout = (n if n in (1, 3, 6) else n // NARROW for n in (conv.cin, conv.cout))
        return replace(conv, cin=cin, cout=cout)

    def thin_all(convs: tuple[Conv, ...]) -> tuple[Conv, ...]:
        return tuple(thin(conv) for conv in convs)

    network = replace(
        WAV2LIP,
        audio=thin_all(WAV2LIP.audio),
        encoder=tuple(map(thin_all, WAV2LIP.encoder)),
        decoder=tuple(map(thin_all, WAV2LIP.decoder)),
        output=thin_all(WAV2LIP.output),
    )
    return checkpoint_of(network, seeded_state(network), "narrow")


@pytest.fixture
def narrow_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files hold the narrow network where they would hold the one of 145 MB."""
    monkeypatch.setattr(FILES_HOLD, narrow().architecture)


@cache
def narrow_numbers() -> dict[str, np.ndarray]:
    """As ``golden``, of the narrow network: by the whole graph, which has no window or cache."""
    import onnxruntime

    from mien.lipsync.wav2lip.onnx_graph import full_graph
    from mien.lipsync.wav2lip.weights import fold

    numbers = golden("wav2lip96.npz")
    network = narrow().architecture
    graph = full_graph(network, fold(network, narrow().state)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    six = numbers["faces_u8"].astype(np.float32) / 255
    out = session.run(None, {"mel": numbers["mel"], "faces": six})[0]
    return {"mel": numbers["mel"], "faces_u8": numbers["faces_u8"], "out": out}


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
