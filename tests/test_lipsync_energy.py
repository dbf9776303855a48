"""Loudness as the last resort: louder opens, dark rounds, hiss bares the teeth."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lipsync.contract import MouthShape
from mien.lipsync.viseme.energy import shape_of_sound
from mien.media.tick import TICK_SEC

RATE, BEFORE = 16_000, 0.2
WINDOW = round((BEFORE + TICK_SEC + 0.15) * RATE)


def tone(hz: float, level: float) -> np.ndarray:
    t = np.arange(WINDOW) / RATE
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def energy_shape(audio: np.ndarray) -> MouthShape:
    return shape_of_sound(audio, RATE, BEFORE)


def test_louder_opens_wider_without_phone_times() -> None:
    opened = [energy_shape(tone(500, level)).openness for level in (0.001, 0.02, 0.1, 0.4)]
    assert opened[0] == 0 and opened == sorted(opened) and 0.5 < opened[-1] <= 0.9


def test_dark_sound_rounds_and_bright_sound_spreads() -> None:
    assert energy_shape(tone(350, 0.2)).rounding > 0.3
    assert energy_shape(tone(2200, 0.2)).rounding < -0.3
    noise = np.random.default_rng(0).normal(0, 0.05, WINDOW).astype(np.float32)
    hiss = np.diff(noise, prepend=np.float32(0)).astype(np.float32)
    assert energy_shape(hiss).consonant == "SS"


def test_a_pause_in_the_sound_closes_the_mouth() -> None:
    audio = tone(500, 0.3)
    at = round(BEFORE * RATE)
    audio[at - 1200 : at + 1800] = 0
    assert energy_shape(audio).openness < 0.25


@pytest.mark.parametrize("size", [0, 1, 100, 3000])
def test_short_windows_do_not_fail(size: int) -> None:
    energy_shape(np.ones(size, np.float32))
