"""Bert-VITS2 on OpenVINO: the quickest on Intel's and AMD's processors, from the same graphs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.tts.bert_vits2.artefacts import (
    DECODER_FILE,
    FLOW_FILE,
    TEXT_FILE,
    figures,
    graph_folder,
    made_graphs,
)
from mien.tts.bert_vits2.backend import Backend, BackendError, Choice
from mien.tts.bert_vits2.checkpoint import Checkpoint
from mien.tts.bert_vits2.graph_stages import GraphStages
from mien.tts.bert_vits2.stages import StagedBackend


def choices() -> list[Choice]:
    """What this machine can run, best first."""
    return [] if why_not() else [Choice("openvino", "fp32")]


def why_not() -> str:
    """Why there is no choice at all, and what helps; empty if there is one."""
    return "" if find_spec("openvino") else "OpenVINO is not installed: pip install openvino"


def ready(checkpoint: Checkpoint, choice: Choice) -> bool:
    """Whether its graphs were made."""
    return figures(graph_folder(checkpoint)) is not None


def load(checkpoint: Checkpoint, choice: Choice, folder: Path | None = None) -> Backend:
    """The network, ready to run.

    folder: of the graphs; None = where ``mien models optimize`` puts them.
    Raises BackendError: what is missing or wrong, and what to do about it.
    """
    if (choice.precision, choice.device) != ("fp32", "cpu"):
        raise BackendError(
            f"OpenVINO runs no {choice.precision} voice on {choice.device} here",
            "choose fp32 on cpu",
        )
    if missing := why_not():
        raise BackendError(missing, "")
    folder = folder or made_graphs(checkpoint)

    def loaded(name: str) -> _Compiled:
        return _Compiled(folder / name, choice)

    stages = GraphStages(
        checkpoint.variant, loaded(TEXT_FILE), loaded(FLOW_FILE), loaded(DECODER_FILE)
    )
    return StagedBackend(checkpoint, choice, stages)


class _Compiled:
    """A graph; see ``graph_stages.Graph``."""

    def __init__(self, file: Path, choice: Choice) -> None:
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": choice.thread_count,
            # Elsewhere it may take bfloat16 unasked, which is heard.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            self._request: Any = (
                _core().compile_model(str(file), "CPU", options).create_infer_request()
            )
        except RuntimeError as error:
            raise BackendError(
                f"OpenVINO cannot load {file.name} ({error})",
                "make it anew with: mien models optimize bert-vits2",
            ) from error

    def __call__(self, inputs: dict[str, NDArray[Any]]) -> Sequence[NDArray[np.float32]]:
        results = self._request.infer(inputs)
        # Its own memory, which the next call writes to.
        return [np.array(result) for result in results.values()]


@lru_cache(maxsize=1)
def _core() -> Any:
    import openvino

    return openvino.Core()
