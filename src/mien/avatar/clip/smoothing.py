"""Landmarks and boxes without the detector's trembling: filters that do not delay.

A face moves as a whole (place, size, lean) and within itself (lips, lids). The whole is smoothed
over more frames, since it is what makes a crop tremble, and what moves no faster than a head; the
rest over fewer, since lips are quick.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# Points that no expression moves much: brow ridge, bridge of the nose, corners of the eyes,
# temples, and the cheeks before the ears.
STEADY = [33, 133, 362, 263, 168, 6, 197, 195, 10, 151, 127, 356, 234, 454, 93, 323, 21, 251]

# Frames to each side. A quartic over 13 passes what is slower than 4 times a second, over 7 what
# is slower than 8: syllables come 4 to 6 times a second and must keep their height. A parabola
# over 9 calms a head as much, but takes 7 % off a nod.
HEAD, WITHIN = 6, 3
DEGREE = 4
JUMP = 0.04  # of the face's size: a single frame this far off its neighbours is a slip of the net


def filled(points: list[NDArray[np.float32] | None]) -> Array:
    """float64[N, K, 3]: missed frames in between are interpolated, those at an end repeated."""
    seen = [i for i, p in enumerate(points) if p is not None]
    if not seen:
        raise ValueError("no frame has a face")
    known = np.stack([p for p in points if p is not None]).astype(np.float64)
    frames = np.arange(len(points))
    after = np.clip(np.searchsorted(seen, frames), 0, len(seen) - 1)
    before = np.where(np.take(seen, after) > frames, np.maximum(after - 1, 0), after)
    left, right = np.take(seen, before), np.take(seen, after)
    share = np.clip((frames - left) / np.maximum(right - left, 1), 0, 1)[:, None, None]
    return np.asarray(known[before] * (1 - share) + known[after] * share)


def without_slips(points: Array) -> Array:
    """Frames where the whole face jumps and comes back at once, from their neighbours.

    points: float64[N, K, 3] pixels.
    """
    middle = points[:, STEADY, :2].mean(1)
    size = float(np.median(np.ptp(points[:, :, 1], axis=1)))
    off = np.linalg.norm(middle - medians(middle, 2), axis=1) / size
    kept: list[NDArray[np.float32] | None] = [
        None if o > JUMP else p.astype(np.float32) for o, p in zip(off, points, strict=True)
    ]
    return points if all(k is not None for k in kept) else filled(kept)


def smoothed(points: Array) -> Array:
    """points: float64[N, K, 3] pixels, N ≥ 1; the same, smoothed."""
    origin, lean = poses(points)
    local = savgol(to_local(points[:, :, :2], origin, lean), WITHIN)
    parts = savgol(np.stack([lean.real, lean.imag], 1), HEAD)
    lean = parts[:, 0] + 1j * parts[:, 1]
    flat = from_local(local, savgol(origin, HEAD), lean)
    return np.concatenate([flat, savgol(points[:, :, 2:], HEAD)], 2)


def poses(points: Array) -> tuple[Array, Complex]:
    """How the face lies in each frame: origin float64[N, 2] pixels, and complex128[N] by which
    x + iy from there is multiplied to lie as the face does on average; least squares over
    ``STEADY`` (Umeyama 1991, in the plane). points: float64[N, 468, 2 or more]."""
    steady = points[:, STEADY, :2]
    origin = steady.mean(1)
    centred = steady - origin[:, None]
    z = centred[..., 0] + 1j * centred[..., 1]
    lean = (np.conj(z) * z.mean(0)).sum(1) / (np.abs(z) ** 2).sum(1)
    return origin, np.asarray(lean, np.complex128)


def to_local(places: Array, origin: Array, lean: Complex) -> Array:
    """float64[N, K, 2] pixels → the same of the average face, its origin at 0."""
    z = (places[..., 0] - origin[:, :1]) + 1j * (places[..., 1] - origin[:, 1:])
    z = z * lean[:, None]
    return np.stack([z.real, z.imag], -1)


def from_local(local: Array, origin: Array, lean: Complex) -> Array:
    """The way back from ``to_local``."""
    z = (local[..., 0] + 1j * local[..., 1]) / lean[:, None]
    return np.stack([z.real, z.imag], -1) + origin[:, None]


def savgol(values: Array, reach: int, degree: int = DEGREE) -> Array:
    """Savitzky and Golay 1964: at each frame the polynomial that fits ``reach`` frames to each
    side best. Keeps speed and turning points; at the ends the window stays whole and leans.

    values: float64[N, …]; fewer frames than a window take a shorter one.
    """
    count = len(values)
    width = min(2 * reach + 1, count - 1 + count % 2)
    if width <= degree + 1:
        return values
    half = width // 2
    flat = values.reshape(count, -1)
    out = np.empty_like(flat)
    powers = np.arange(degree + 1)
    fit = np.linalg.pinv(np.arange(-half, half + 1.0)[:, None] ** powers)
    for i in range(count):
        start = min(max(i - half, 0), count - width)
        weights = float(i - start - half) ** powers @ fit
        out[i] = weights @ flat[start : start + width]
    return out.reshape(values.shape)


def medians(values: Array, reach: int) -> Array:
    """Running median over ``reach`` frames to each side, fewer at the ends. float64[N, …]."""
    count = len(values)
    return np.stack(
        [np.median(values[max(0, i - reach) : i + reach + 1], axis=0) for i in range(count)]
    )


def gaussian(values: Array, sigma: float) -> Array:
    """Zero-phase mean with bell-shaped weights of ``sigma`` frames. float64[N, …]."""
    count = len(values)
    frames = np.arange(count)
    weights = np.exp(-0.5 * ((frames[:, None] - frames[None]) / sigma) ** 2)
    weights /= weights.sum(1, keepdims=True)
    return np.asarray((weights @ values.reshape(count, -1)).reshape(values.shape))
