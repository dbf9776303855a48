"""Wav2Lip on PyTorch: NVIDIA GPUs in float16, and any processor as a last resort."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.backend import Backend, BackendError, Choice
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.window import Window
from mien.machine import bf16_pays, gpu_count

_INSTALL = "pip install 'mien[torch]'"


def choices() -> list[Choice]:
    """What this machine runs well, best first."""
    if why_not():
        return []
    found = []
    if not _why_no_cuda():
        found += [Choice("torch", "fp16", "cuda"), Choice("torch", "fp32", "cuda")]
    if bf16_pays():
        found.append(Choice("torch", "bf16"))
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


def load(
    checkpoint: Checkpoint, window: Window, choice: Choice, quantised: Path | None = None
) -> Backend:
    """The network, ready to run; on a GPU after some seconds of trying its kernels out.

    quantised: not used; PyTorch runs no int8 here.
    Raises:
        BackendError: what is missing or wrong, and what to do about it.
    """
    wanted = (choice.device, choice.precision)
    if wanted not in (("cuda", "fp16"), ("cuda", "fp32"), ("cpu", "bf16"), ("cpu", "fp32")):
        raise BackendError(
            f"PyTorch runs no {choice.precision} network on {choice.device} here",
            "choose fp32 or bf16 on cpu, fp16 or fp32 on cuda",
        )
    if missing := why_not():
        raise BackendError(missing, "")
    if choice.device == "cuda":
        if missing := _why_no_cuda():
            raise BackendError(missing, "check that nvidia-smi lists one, or choose the device cpu")
        from mien.lipsync.wav2lip.torch_cuda import CudaBackend

        return CudaBackend(checkpoint, window, choice)
    from mien.lipsync.wav2lip.torch_cpu import CpuBackend

    return CpuBackend(checkpoint, window, choice)


def as_writable(array: NDArray[Any]) -> NDArray[Any]:
    """PyTorch warns of arrays it could not write to, such as those of a file mapped to memory."""
    return array if array.flags.writeable and array.flags.c_contiguous else np.array(array)
