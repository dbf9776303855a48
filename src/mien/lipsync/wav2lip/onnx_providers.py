"""ONNX Runtime's execution providers: which this machine has, and their options.

Option names: ONNX Runtime's pages on its CUDA and TensorRT execution providers. What the options
of the GPU providers bring was not measured on a GPU; where there was no reason, defaults stand.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mien.lipsync.wav2lip.backend import BackendError, Choice, Device
from mien.lipsync.wav2lip.window import Window
from mien.machine import gpu_count

PROVIDERS: dict[Device, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}

BATCH_SIZES_CPU = tuple(range(1, 9))
"""Any number runs; beyond eight nothing is gained (8.8 ms per picture at 4, 10.8 at 8)."""

BATCH_SIZES_GPU = (1, 2, 4, 8, 16, 32)
"""Each size is tried out when loading: CUDA picks its algorithms per size."""

TENSORRT_BEST_AT = 8
"""The batch TensorRT chooses its kernels for; it runs all from 1 to the largest."""

Options = dict[str, str]


def provider_list(
    choice: Choice, window: Window, engines: Path, timing: Path
) -> list[tuple[str, Options]]:
    """Providers for a session of the decoder, best first, each with its options.

    engines: folder that TensorRT keeps the engine of these weights in. It names engines after the
        graph, not after the weights in it, so no other checkpoint may use the same folder.
    timing: folder for its measurements of kernels, good for any weights.
    """
    wanted: list[tuple[str, Options]] = []
    if choice.device == "tensorrt":
        wanted.append((PROVIDERS["tensorrt"], tensorrt_options(window, engines, timing)))
    if choice.device in ("tensorrt", "cuda"):
        wanted.append((PROVIDERS["cuda"], cuda_options()))
    return [*wanted, (PROVIDERS["cpu"], {})]


def cuda_options() -> Options:
    return {
        "device_id": "0",
        # Tried once per batch size while loading; the heuristic choice can be several times slower.
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "cudnn_conv_use_max_workspace": "1",
        "do_copy_in_default_stream": "1",
        "use_tf32": "0",  # float32 means float32: whoever wants speed takes fp16
    }


def tensorrt_options(window: Window, engines: Path, timing: Path) -> Options:
    return {
        "device_id": "0",
        "trt_fp16_enable": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engines),
        "trt_engine_cache_prefix": "decoder",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(timing),
        # One engine for all batches. Every dynamic input needs its range, or building is refused.
        "trt_profile_min_shapes": _shapes(window, BATCH_SIZES_GPU[0]),
        "trt_profile_opt_shapes": _shapes(window, TENSORRT_BEST_AT),
        "trt_profile_max_shapes": _shapes(window, BATCH_SIZES_GPU[-1]),
        # The whole graph is one engine; pieces of a few nodes would cost more in copies.
        "trt_min_subgraph_size": "5",
        "trt_builder_optimization_level": "3",
    }


def _shapes(window: Window, batch: int) -> str:
    return f"mel:{batch}x1x80x16,features:{batch}x{window.values}"


# -- what is here ------------------------------------------------------------------------


def require(device: Device) -> None:
    """BackendError if ONNX Runtime cannot use this device here, with what to do about it."""
    if device == "cpu":
        return
    import onnxruntime

    name = {"cuda": "CUDA", "tensorrt": "TensorRT"}[device]
    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise BackendError(
            f"the installed ONNX Runtime ({_package()}) has no {name} provider",
            "pip uninstall onnxruntime, then pip install onnxruntime-gpu",
        )
    if not gpu_count():
        raise BackendError(
            "no NVIDIA GPU can be used here",
            "check that nvidia-smi lists one, or choose the device cpu",
        )
    if device == "tensorrt" and not has_tensorrt():
        raise BackendError(
            "TensorRT's library (libnvinfer) is not installed",
            "pip install tensorrt, in the version ONNX Runtime's page on it names, "
            "or choose the device cuda",
        )


def usable(device: Device) -> bool:
    try:
        require(device)
    except BackendError:
        return False
    return True


def has_tensorrt() -> bool:
    return (
        ctypes.util.find_library("nvinfer") is not None
        or importlib.util.find_spec("tensorrt") is not None
    )


def load_gpu_libraries(device: Device) -> None:
    """Make CUDA's and TensorRT's libraries known that pip installed; the system's need nothing."""
    import onnxruntime

    if device != "cpu" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    if device == "tensorrt" and importlib.util.find_spec("tensorrt") is not None:
        importlib.import_module("tensorrt")


def _package() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "of unknown origin"
