"""Which picture of a clip is shown when."""

from __future__ import annotations

import itertools

import pytest

from mien.avatar.clip.life import ClipLife
from mien.avatar.clip.package import Loop


def frames(life: ClipLife, activities: list[str], first: int = 0) -> list[int]:
    return [life.pose(first + i, 0.3, activity).frame for i, activity in enumerate(activities)]


def steps(shown: list[int]) -> set[int]:
    return {b - a for a, b in itertools.pairwise(shown)}


@pytest.mark.parametrize("seed", range(8))
def test_to_and_fro_without_a_jump(seed: int) -> None:
    shown = frames(ClipLife(12, seed=seed), ["idle"] * 60)
    assert steps(shown) == {-1, 1} and set(shown) == set(range(12))
    assert shown[22:44] == shown[:22]  # there and back takes twice the clip less its ends


@pytest.mark.parametrize("seed", range(8))
def test_a_clip_that_fits_begins_again(seed: int) -> None:
    shown = frames(ClipLife(12, "forward", seed=seed), ["speaking", "idle"] * 20)
    assert steps(shown) == {1, -11} and shown[12:24] == shown[:12]


@pytest.mark.parametrize("loop", ["pingpong", "forward"])
def test_silence_stays_in_the_silent_passage(loop: Loop) -> None:
    for seed in range(8):
        shown = frames(ClipLife(100, loop, (20, 45), seed), ["listening", "idle", "thinking"] * 40)
        assert set(shown) == set(range(20, 45)) and steps(shown) == {-1, 1}


def test_speech_runs_on_through_the_whole_clip() -> None:
    life = ClipLife(100, "pingpong", (20, 45), seed=3)
    before = frames(life, ["idle"] * 10)
    shown = frames(life, ["speaking"] * 250, 10)
    assert set(shown) == set(range(100)) and steps(before + shown) == {-1, 1}


@pytest.mark.parametrize("spoken", [5, 60, 110, 140, 199])
def test_it_comes_back_to_rest_without_a_jump(spoken: int) -> None:
    life = ClipLife(100, "pingpong", (20, 45), seed=3)
    shown = frames(life, ["speaking"] * spoken + ["listening"] * 120)
    assert steps(shown) == {-1, 1}
    assert set(shown[-20:]) <= set(range(20, 45))
    turns = [
        i for i, (a, b, c) in enumerate(zip(shown, shown[1:], shown[2:], strict=False)) if a == c
    ]
    assert all(shown[t + 1] in (0, 20, 44, 99) or t > spoken for t in turns)


def test_a_clip_that_fits_comes_back_forwards() -> None:
    shown = frames(ClipLife(100, "forward", (20, 45), 3), ["speaking"] * 60 + ["idle"] * 150)
    outside = [(a, b) for a, b in itertools.pairwise(shown) if not 20 <= a < 45]
    assert all(b - a in (1, -99) for a, b in outside) and set(shown[-25:]) <= set(range(20, 45))


def test_a_pause_between_clauses_is_still_speech() -> None:
    life = ClipLife(200, "pingpong", (0, 20), seed=1)
    shown = frames(life, ["speaking"] * 60 + ["idle"] * 20 + ["speaking"] * 60)
    assert steps(shown[25:]) == {1}  # no turn back in 0.8 s


def test_the_same_seed_shows_the_same_and_others_begin_elsewhere() -> None:
    what = ["idle"] * 30 + ["speaking"] * 30
    assert frames(ClipLife(100, seed=5), what) == frames(ClipLife(100, seed=5), what)
    assert len({frames(ClipLife(100, seed=s), ["idle"])[0] for s in range(20)}) > 10


def test_ticks_asked_again_are_the_same() -> None:
    """Planned speech that is taken back: the clip does not run twice as fast."""
    life = ClipLife(100, seed=2)
    shown = frames(life, ["speaking"] * 10)
    assert frames(life, ["idle"] * 4, 6) == shown[6:]
    assert steps([shown[-1], life.pose(10, 0, "idle").frame]) <= {-1, 1}
    assert life.pose(-50, 0, "idle").frame in shown  # longer ago than it remembers: no error


def test_nobody_looked_for_a_while() -> None:
    """A picture that stood still goes on from there."""
    life = ClipLife(100, seed=2)
    shown = frames(life, ["idle"] * 5)
    assert abs(life.pose(100_000, 0, "idle").frame - shown[-1]) == 1


def test_gestures_change_nothing() -> None:
    one, other = ClipLife(50, seed=1), ClipLife(50, seed=1)
    other.gesture("nod")
    assert one.pose(0, 0, "idle") == other.pose(0, 0, "idle")
    assert one.pose(1, 0, "idle") == other.pose(1, 0, "idle")


@pytest.mark.parametrize("idle", [None, (0, 2), (1, 3)])
@pytest.mark.parametrize("loop", ["pingpong", "forward"])
def test_the_shortest_clips(idle: tuple[int, int] | None, loop: Loop) -> None:
    shown = frames(ClipLife(3, loop, idle), ["speaking", "idle"] * 30)
    assert set(shown) == {0, 1, 2} and steps(shown) <= {-1, 1, -2}
