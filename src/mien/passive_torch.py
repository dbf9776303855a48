"""PyTorch, its threads asleep while they wait for work.

Between two operations the threads of OpenMP keep their cores busy for milliseconds, unless they are
told not to before PyTorch is loaded. On 2 cores that others used as well, a picture took 200 ms of
processor time instead of 50.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

__all__ = ["torch"]
