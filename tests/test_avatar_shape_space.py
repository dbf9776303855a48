"""Which pictures a mouth or a glance is made of."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.avatar.patches import CONSONANTS, EyePlace, MouthPlace
from mien.avatar.shape_space import EyeSpace, MouthSpace, Weights
from mien.lipsync.contract import MouthShape

GRID = [
    MouthPlace(o, r)
    for o, r in itertools.product((0.0, 0.15, 0.3, 0.5, 0.75, 1.0), (-1.0, -0.5, 0.0, 0.5, 1.0))
]
SMILES = [MouthPlace(o, r, 1) for o, r in itertools.product((0.0, 0.5, 1.0), (-1.0, 0.0, 1.0))]
HELD = [MouthPlace(0.0 if c == "PP" else 0.15, 0.0, 0, c) for c in CONSONANTS]
PLACES = [*GRID, *HELD, *SMILES]
MOUTHS = MouthSpace(PLACES)
EYES = [
    *(EyePlace(closure=c) for c in (0.0, 0.25, 0.5, 1.0)),
    *(EyePlace(gaze=g) for g in ("right", "left", "up", "down")),
    *(EyePlace(brow=b) for b in ("up", "frown")),
]
SIDES = st.floats(-1.5, 1.5)
SHARES = st.floats(-0.5, 1.5)


def as_row(weights: Weights, count: int) -> np.ndarray:
    row = np.zeros(count)
    for i, w in weights:
        row[i] += w
    return row


def mean_openness(shape: MouthShape) -> float:
    """Of the vowel pictures a shape is made of."""
    parts = [(PLACES[i].openness, w) for i, w in MOUTHS.weights(shape) if not PLACES[i].consonant]
    return sum(o * w for o, w in parts) / max(sum(w for _, w in parts), 1e-9)


@given(
    openness=SHARES,
    rounding=SIDES,
    consonant=st.sampled_from(["", *CONSONANTS, "??"]),
    grip=SHARES,
    weight=SHARES,
    smile=SHARES,
)
def test_shares_sum_to_one_and_are_few(
    openness: float, rounding: float, consonant: str, grip: float, weight: float, smile: float
) -> None:
    shape = MouthShape(openness, rounding, consonant, grip)
    weights = MOUTHS.weights(shape, weight, smile)
    assert sum(w for _, w in weights) == pytest.approx(1)
    assert all(w > 0 for _, w in weights)
    assert len({i for i, _ in weights}) == len(weights) <= 10


def test_a_rendered_mouth_is_one_picture() -> None:
    for i, place in enumerate(PLACES):
        if place.consonant:
            shape = MouthShape(0.9, 0.4, place.consonant, 1.0)
        else:
            shape = MouthShape(place.openness, place.rounding)
        assert MOUTHS.weights(shape, smile=place.smile) == [(i, 1.0)]


def test_a_smile_passes_from_one_grid_to_the_other() -> None:
    shape = MouthShape(0.4, 0.3)
    shares = [
        sum(w for i, w in MOUTHS.weights(shape, smile=s) if PLACES[i].smile) for s in (0, 0.5, 1)
    ]
    assert shares == pytest.approx([0, 0.5, 1], abs=0.03)


def test_smiling_lips_still_close() -> None:
    """No smiling picture of pressed lips: the plain one, not the smiling vowels, must be shown."""
    held = MOUTHS.weights(MouthShape(0.5, 0, "PP", 1.0), smile=1.0)
    assert [(PLACES[i].consonant, w) for i, w in held] == [("PP", 1.0)]


def test_without_smiles_a_smile_changes_nothing() -> None:
    plain = MouthSpace([*GRID, *HELD])
    shape = MouthShape(0.4, 0.3, "FF", 0.5)
    assert not plain.has_smiles and MOUTHS.has_smiles
    assert plain.weights(shape, smile=1) == plain.weights(shape)


def test_an_open_mouth_closes_before_the_lips_are_pressed() -> None:
    """Otherwise open teeth and pressed lips would be seen at once."""
    openness = [mean_openness(MouthShape(0.9, 0, "PP", g)) for g in np.linspace(0, 0.85, 18)]
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(openness))
    for grip in np.linspace(0, 1, 21):
        shape = MouthShape(0.9, 0, "PP", grip)
        pressed = sum(w for i, w in MOUTHS.weights(shape) if PLACES[i].consonant == "PP")
        assert pressed == 0 or mean_openness(shape) < 0.56


@pytest.mark.parametrize("which", ["grip", "openness", "rounding", "smile"])
def test_shares_change_smoothly(which: str) -> None:
    rows = []
    for t in np.linspace(0, 1, 101):
        values = {"grip": 0.4, "openness": 0.6, "rounding": 0.3, "smile": 0.2, which: float(t)}
        shape = MouthShape(values["openness"], values["rounding"], "FF", values["grip"])
        rows.append(as_row(MOUTHS.weights(shape, smile=values["smile"]), len(PLACES)))
    assert np.abs(np.diff(rows, axis=0)).max() < 0.12


@given(blink=SHARES, x=SIDES, y=SIDES, brow=SIDES)
def test_eyes_shares_sum_to_one(blink: float, x: float, y: float, brow: float) -> None:
    weights = EyeSpace(EYES).weights(blink, x, y, brow)
    assert sum(w for _, w in weights) == pytest.approx(1)
    assert all(w > 0 for _, w in weights) and len(weights) <= 5


def test_closed_eyes_do_not_glance() -> None:
    eyes = EyeSpace(EYES)
    assert eyes.weights(1.0, 1.0, -1.0) == [(3, 1.0)]
    assert [EYES[i].gaze for i, _ in eyes.weights(0.0, 1.0, 0.0)] == ["right"]
    assert [EYES[i].brow for i, _ in eyes.weights(0.0, 0.0, 0.0, -1.0)] == ["frown"]


def test_half_closed_eyes_glance_by_geometry() -> None:
    eyes = EyeSpace(EYES)
    for blink in (0.0, 0.1, 0.4, 1.0):
        shown = sum(w for i, w in eyes.weights(blink, 0.8, 0) if EYES[i].gaze == "right")
        bent = sum(w for i, _, w in eyes.shifts(blink, 0.8, 0) if EYES[i].gaze == "right")
        assert shown + bent == pytest.approx(0.8, abs=0.03)
    assert eyes.shifts(0.0, 0.8, 0.0) == []
