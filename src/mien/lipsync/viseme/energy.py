"""Loudness → mouth: what is left when nothing else is known of a voice."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mien.lipsync.contract import MouthShape
from mien.media.tick import TICK_SEC

QUIET_DB = -46.0  # full scale; below it nothing is said
LOUD_DB = -16.0


def shape_of_sound(audio: NDArray[np.float32], rate: int, before: float) -> MouthShape:
    """The mouth for float32[n] audio whose tick starts ``before`` seconds in: open when loud."""
    frame = int(TICK_SEC * rate)
    at = int(before * rate)
    steps = np.arange(-4, 5) * (frame // 2)  # 20 ms apart, ± 80 ms around the tick
    frames = [audio[max(at + s, 0) : max(at + s + frame, 0)] for s in steps]
    level = np.array([_level(f) for f in frames])
    hann = np.array([0.1, 0.25, 0.3, 0.25, 0.1])
    now = float(level[2:7] @ hann)
    if now <= QUIET_DB + 1:
        return MouthShape()
    # Loudness against the speaker's last moments gives syllables; loudness alone, a mumble.
    syllable = min(max(1 + (now - float(level.mean())) / 14, 0.45), 1.3)
    base = min(max((now - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.0), 1.0)
    openness = min(0.75 * base * syllable, 0.9)
    window = audio[max(at - frame // 2, 0) : at + frame + frame // 2]
    centroid = _centroid(window, rate)
    rounding = min(max((1300 - centroid) / 1100, -0.6), 0.6) * min(1.0, 3 * base)
    hiss = min(max((centroid - 3200) / 1500, 0.0), 1.0)
    openness *= 1 - 0.6 * hiss
    if hiss > 0:
        return MouthShape(openness, rounding, "SS", 0.7 * hiss * min(1.0, 3 * base))
    return MouthShape(openness, rounding)


def _level(frame: NDArray[np.float32]) -> float:
    """dB of full scale, never below QUIET_DB."""
    if frame.size == 0:
        return QUIET_DB
    power = float(np.dot(frame, frame)) / frame.size
    return max(QUIET_DB, 10 * math.log10(power + 1e-10))


def _centroid(window: NDArray[np.float32], rate: int) -> float:
    """Mean frequency (Hz) of the power above 150 Hz; 1300 (neutral lips) where there is none."""
    spectrum = np.abs(np.fft.rfft(window, 1024)) if window.size else np.zeros(513)
    frequency = np.arange(513) * (rate / 1024)
    power = np.where(frequency > 150, spectrum, 0.0) ** 2
    total = float(power.sum())
    return float(power @ frequency) / total if total > 1e-9 else 1300.0
