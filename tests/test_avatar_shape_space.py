"""Which pictures a mouth or a glance is made of."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mien.avatar.library import load_avatar
from mien.avatar.shape_space import EyeSpace, MouthSpace
from mien.lipsync.contract import MouthShape

PACKAGE = load_avatar("mei").package
PLACES = PACKAGE.mouth.places
MOUTHS = MouthSpace(PLACES)


def mean_openness(shape: MouthShape) -> float:
    """Of the vowel pictures a shape is made of."""
    parts = [
        (PLACES[i]["openness"], w) for i, w in MOUTHS.weights(shape) if "near" not in PLACES[i]
    ]
    return sum(o * w for o, w in parts) / max(sum(w for _, w in parts), 1e-9)


def test_shares_sum_to_one_and_are_few() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        consonant = ("", "PP", "FF", "TH", "CH", "SS", "??")[rng.integers(7)]
        shape = MouthShape(rng.random(), rng.uniform(-1, 1), consonant, rng.random())
        weights = MOUTHS.weights(shape, rng.random())
        assert sum(w for _, w in weights) == pytest.approx(1)
        assert len(weights) <= 5 and len({i for i, _ in weights}) == len(weights)


def test_a_rendered_mouth_is_one_picture() -> None:
    for i, place in enumerate(PLACES):
        if "consonant" in place:
            shape = MouthShape(0.9, 0.4, place["consonant"], 1.0)
        else:
            shape = MouthShape(place["openness"], place["rounding"])
        assert MOUTHS.weights(shape) == [(i, 1.0)]


def test_an_open_mouth_closes_before_the_lips_are_pressed() -> None:
    """Otherwise open teeth and pressed lips would be seen at once."""
    openness = [mean_openness(MouthShape(0.9, 0, "PP", g)) for g in np.linspace(0, 0.85, 18)]
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(openness))
    for grip in np.linspace(0, 1, 21):
        shape = MouthShape(0.9, 0, "PP", grip)
        pressed = sum(w for i, w in MOUTHS.weights(shape) if PLACES[i].get("consonant") == "PP")
        assert pressed == 0 or mean_openness(shape) < 0.56


def test_shares_change_smoothly() -> None:
    def shares(grip: float) -> np.ndarray:
        out = np.zeros(len(PLACES))
        for i, w in MOUTHS.weights(MouthShape(0.6, 0.3, "FF", grip)):
            out[i] = w
        return out

    rows = [shares(g) for g in np.linspace(0, 1, 101)]
    assert np.abs(np.diff(rows, axis=0)).max() < 0.12


def test_closed_eyes_do_not_glance() -> None:
    assert PACKAGE.eyes is not None
    places = PACKAGE.eyes.places
    eyes = EyeSpace(places)
    closed = next(i for i, p in enumerate(places) if p.get("closure") == 1)
    assert eyes.weights(1.0, 1.0, -1.0) == [(closed, 1.0)]
    for blink, x, y in ((0, 0, 0), (0, 1, 1), (0, -0.3, 0.2), (0.5, 1, 0), (2, 5, -5)):
        assert sum(w for _, w in eyes.weights(blink, x, y)) == pytest.approx(1)
    right = eyes.weights(0.0, 1.0, 0.0)
    assert [places[i].get("gaze") for i, _ in right] == ["right"]
