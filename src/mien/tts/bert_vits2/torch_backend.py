"""Bert-VITS2 on PyTorch: any processor in float32, NVIDIA GPUs with a decoder in float16."""

from __future__ import annotations

import importlib.util

from mien.machine import gpu_count
from mien.tts.bert_vits2.backend import Backend, BackendError, Choice
from mien.tts.bert_vits2.checkpoint import Checkpoint

_INSTALL = "pip install 'mien[bert-vits2]'"


def choices() -> list[Choice]:
    """What this machine can run, best first."""
    if why_not():
        return []
    found = []
    if not _why_no_cuda():
        found += [Choice("torch", "fp16", "cuda"), Choice("torch", "fp32", "cuda")]
    return [*found, Choice("torch", "fp32")]


def why_not() -> str:
    """Why there is no choice at all, and what helps; empty if there is one."""
    if importlib.util.find_spec("torch") is None:
        return f"PyTorch is not installed: {_INSTALL}"
    return ""


def _why_no_cuda() -> str:
    # Loading PyTorch takes a second and 200 MB, so not without a GPU.
    if not gpu_count():
        return "no NVIDIA GPU answers here"
    from mien.passive_torch import torch

    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} cannot use the GPU here"
    return ""


def load(checkpoint: Checkpoint, choice: Choice) -> Backend:
    """The network, ready to run.

    Raises BackendError: what is missing or wrong, and what to do about it.
    """
    if (choice.device, choice.precision) not in (
        ("cpu", "fp32"),
        ("cuda", "fp32"),
        ("cuda", "fp16"),
    ):
        raise BackendError(
            f"PyTorch runs no {choice.precision} network on {choice.device} here",
            "choose fp32 on cpu, fp16 or fp32 on cuda",
        )
    if missing := why_not():
        raise BackendError(missing, "")
    if choice.device == "cuda" and (missing := _why_no_cuda()):
        raise BackendError(missing, "check that nvidia-smi lists one, or choose the device cpu")
    from mien.tts.bert_vits2.stages import StagedBackend
    from mien.tts.bert_vits2.torch_stages import TorchStages

    return StagedBackend(checkpoint, choice, TorchStages(checkpoint, choice))


def ready(checkpoint: Checkpoint, choice: Choice) -> bool:
    """Whether nothing needs to be made first: always."""
    return True
