"""What this machine has that decides how networks run best."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache
from pathlib import Path


def usable_cores() -> int:
    """Cores this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def gpu_count() -> int:
    """NVIDIA GPUs whose driver answers."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def bf16_pays() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32."""
    return _bf16_pays(_cpu_info())


def _bf16_pays(cpu_info: str) -> bool:
    """cpu_info: the kernel's list of what the processor can do.

    With AMX and on AMD since Zen 4. Intel's AVX-512 units alone multiply it no faster, and it has
    to be converted besides: 61 ms instead of 42 a picture on one core, 57 instead of 40 with
    OpenVINO.
    """
    flags = set(cpu_info.split())
    return "amx_bf16" in flags or ("avx512_bf16" in flags and "AuthenticAMD" in flags)


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        return path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    return platform.processor()
