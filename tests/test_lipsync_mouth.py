"""The mouth of a tick: whatever is around a closure, nothing opens it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mien.lipsync.viseme.mouth import NOW, covered, shape_of_phones, shape_of_posteriors
from mien.lipsync.viseme.sounds import BILABIAL, SOUNDS
from mien.media.speech import Phone

SYMBOLS = st.sampled_from(["a", "i", "uai", "s", "f", "tʂʰ", "l", "", "ɹ", "ǂ", "θ", "m", "p", "b"])
AROUND = st.lists(st.tuples(SYMBOLS, st.floats(0.005, 0.3)), max_size=6)
START = -0.16


def in_a_row(sounds: list[tuple[str, float]], start: float) -> list[Phone]:
    phones = []
    for symbol, length in sounds:
        phones.append(Phone(symbol, start, start + length))
        start += length
    return phones


@given(AROUND, st.sampled_from("mpb"), st.floats(0.005, 0.2), st.floats(0, 1), AROUND)
def test_a_closure_in_the_middle_of_a_tick_is_closed(
    before: list[tuple[str, float]],
    symbol: str,
    length: float,
    share: float,
    after: list[tuple[str, float]],
) -> None:
    start = NOW - share * length
    first = start - sum(seconds for _, seconds in before)
    phones = in_a_row([*before, (symbol, length), *after], first)
    assert covered(phones)
    shape = shape_of_phones(phones)
    assert shape.consonant == "PP" and shape.grip > 0.999


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1.0), st.sampled_from(BILABIAL))
def test_lips_the_net_is_sure_of_are_closed(seed: int, sure: float, sound: int) -> None:
    rng = np.random.default_rng(seed)
    heard = rng.dirichlet(np.full(len(SOUNDS), 0.1), 24).astype(np.float32)
    now = round((NOW - START) / 0.01)
    heard[now] *= (1 - sure) / heard[now].sum()
    heard[now, sound] += sure
    shape = shape_of_posteriors(heard, START)
    assert shape.consonant == "PP" and shape.grip > 0.999


def test_lips_close_on_less_evidence_than_teeth_and_tongue() -> None:
    shown = {}
    for sound in ("m", "f", "s"):
        heard = np.zeros((24, len(SOUNDS)), np.float32)
        heard[:, SOUNDS.index("a")] = 1.0
        heard[14:20] = 0.0
        heard[14:20, [SOUNDS.index(sound), SOUNDS.index("a")]] = 0.3, 0.7
        shown[sound] = shape_of_posteriors(heard, START).consonant
    assert shown == {"m": "PP", "f": "", "s": ""}


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(-0.3, 0.1))
def test_shapes_of_sound_keep_to_the_contract(seed: int, frames: int, start: float) -> None:
    rng = np.random.default_rng(seed)
    heard = rng.dirichlet(np.full(len(SOUNDS), 0.05), frames).astype(np.float32)
    shape = shape_of_posteriors(heard, start)
    assert 0 <= shape.openness <= 1 and -1 <= shape.rounding <= 1
    assert 0 <= shape.grip <= 1 and bool(shape.consonant) == (shape.grip > 0)


def test_phones_cover_a_tick_whose_middle_they_know() -> None:
    assert covered([Phone("a", -0.1, 0.05)]) and covered([Phone("", 0.0, 0.02)])
    assert not covered([]) and not covered([Phone("a", -0.2, 0.0), Phone("b", 0.04, 0.1)])
    assert not covered([Phone("a", 0.02, 0.02)])
