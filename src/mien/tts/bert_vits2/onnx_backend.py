"""Bert-VITS2 on ONNX Runtime, which needs no PyTorch, from graphs that were made before."""

from __future__ import annotations

from collections.abc import Sequence
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
    return [] if why_not() else [Choice("onnxruntime", "fp32")]


def why_not() -> str:
    """Why there is no choice at all, and what helps; empty if there is one."""
    return "" if find_spec("onnxruntime") else "onnxruntime is not installed: pip install mien"


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
            f"ONNX Runtime runs no {choice.precision} voice on {choice.device} here",
            "choose fp32 on cpu",
        )
    folder = folder or made_graphs(checkpoint)

    def loaded(name: str) -> _Session:
        return _Session(folder / name, choice)

    stages = GraphStages(
        checkpoint.variant, loaded(TEXT_FILE), loaded(FLOW_FILE), loaded(DECODER_FILE)
    )
    return StagedBackend(checkpoint, choice, stages)


class _Session:
    """A graph; see ``graph_stages.Graph``."""

    def __init__(self, file: Path, choice: Choice) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = choice.thread_count
        options.inter_op_num_threads = 1
        # Threads that wait turning take the cores that draw and encode video.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library has no base class for what it raises
            raise BackendError(
                f"ONNX Runtime cannot load {file.name} ({error})",
                "make it anew with: mien models optimize bert-vits2",
            ) from error

    def __call__(self, inputs: dict[str, NDArray[Any]]) -> Sequence[NDArray[np.float32]]:
        results: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return results
