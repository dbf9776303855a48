"""Summaries of measured values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np


class Quantiles(TypedDict):
    """p50, p95: in the unit of the values; None when there are none. n: how many."""

    p50: float | None
    p95: float | None
    n: int


def quantiles(values: Sequence[float], digits: int = 1) -> Quantiles:
    """Median and 95th percentile (linear interpolation)."""
    if not values:
        return {"p50": None, "p95": None, "n": 0}
    p50, p95 = np.percentile(np.asarray(values, np.float64), [50, 95])
    return {"p50": round(float(p50), digits), "p95": round(float(p95), digits), "n": len(values)}


def slope(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Least-squares change of ``y`` per unit of ``x``; None with fewer than three points."""
    if len(x) < 3 or len(set(x)) < 2:
        return None
    at = np.asarray(x, np.float64) - np.mean(x)
    return float(at @ (np.asarray(y, np.float64) - np.mean(y)) / (at @ at))


def frame_rates(times: Sequence[float], span: int = 25) -> list[float]:
    """Pictures per second over each ``span`` consecutive intervals of ``times`` (s)."""
    return [
        span / (later - earlier)
        for earlier, later in zip(times, times[span:], strict=False)
        if later > earlier
    ]


def mean_sd(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and (population) standard deviation; None without values."""
    if not values:
        return None, None
    array = np.asarray(values, np.float64)
    return float(array.mean()), float(array.std())


def rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
