"""The network's three stages as ONNX graphs, for libraries that need no PyTorch to run them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mien.tts.bert_vits2.artefacts import DECODER_FILE, FLOW_FILE, TEXT_FILE
from mien.tts.bert_vits2.backend import BackendError
from mien.tts.bert_vits2.checkpoint import Checkpoint

if TYPE_CHECKING:
    from mien.passive_torch import torch

OPSET = 17

SYMBOLS, FRAMES = 7, 29
"""Sizes of what the network is traced with; any others work with the graph."""


def export(
    checkpoint: Checkpoint, folder: Path, on_progress: Callable[[float], None] = lambda share: None
) -> None:
    """Write the graphs into ``folder``. Takes some 20 s and 1 GB of memory.

    Raises BackendError where PyTorch or onnx is missing.
    """
    missing = [name for name in ("torch", "onnx") if find_spec(name) is None]
    if missing:
        raise BackendError(
            f"{' and '.join(missing)}, which writes the graphs, is not installed",
            "pip install 'mien[bert-vits2]'",
        )
    from mien.passive_torch import torch
    from mien.tts.bert_vits2.torch_decoder import RunDecoder
    from mien.tts.bert_vits2.torch_network import FlowStage, TextStage, network_of

    v, network = checkpoint.variant, network_of(checkpoint)
    n = SYMBOLS
    ids = torch.arange(n)[None] % v.tones
    one, length = torch.zeros(1, dtype=torch.int64), torch.tensor([n])
    text = {
        "ids": ids,
        "tones": ids,
        "languages": ids % v.languages,
        "lengths": length,
        "speakers": one,
        "emotions": torch.zeros(1, v.hidden),
        "noise": torch.zeros(1, 2, n),
        **{name: torch.zeros(1, width, n) for name, width in v.bert_widths.items()},
    }
    latents = torch.zeros(1, v.latent, FRAMES)
    flow = {"latents": latents, "lengths": torch.tensor([FRAMES]), "speakers": one}
    edges = {"left": torch.tensor(1), "right": torch.tensor(2)}
    sound = {"latents": latents, "speakers": one, **edges}
    on_progress(0.1)
    _write(folder / TEXT_FILE, TextStage(network), text, ("stats", "stochastic", "plain"))
    on_progress(0.4)
    _write(folder / FLOW_FILE, FlowStage(network), flow, ("flowed",))
    on_progress(0.7)
    _write(folder / DECODER_FILE, RunDecoder(network), sound, ("sound",))
    on_progress(1.0)


def _write(
    file: Path,
    stage: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
) -> None:
    """The batch and the last axis of everything may have any length."""
    from mien.passive_torch import torch

    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in (*inputs, *outputs)}
    for name, value in inputs.items():
        if value.ndim == 0:
            del axes[name]
        elif value.ndim > 1 and name != "emotions":
            axes[name][value.ndim - 1] = "length"
    for name in outputs:
        axes[name][2 if name in ("stats", "flowed") else 1] = "out"
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter that replaces this one needs a further package and fixes these lengths.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            stage,
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
