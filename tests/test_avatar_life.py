"""Idle life: repeatable, smooth, and at human rates."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from mien.avatar.contract import Pose
from mien.avatar.life import IdleLife

MINUTE = 1500  # ticks


def speech(tick: int) -> float:
    """Loudness of made-up speech: syllables of 200 ms in phrases of 2.4 s and pauses of 0.8 s."""
    if tick % 80 >= 60:
        return 0.0
    return 0.35 + 0.35 * np.sin(2 * np.pi * tick / 5)


def run(seed: int, ticks: int, activity: str = "idle", loud: bool = False) -> list[Pose]:
    life = IdleLife(seed)
    return [life.pose(t, speech(t) if loud else 0.0, activity) for t in range(ticks)]


def blinks(poses: list[Pose]) -> list[int]:
    shut = np.array([p.blink for p in poses]) > 0.9
    return [int(i) for i in np.flatnonzero(shut & ~np.roll(shut, 1))]


def test_the_same_seed_lives_the_same_life() -> None:
    assert run(7, 400) == run(7, 400)
    assert run(7, 400) != run(8, 400)


def test_a_tick_may_be_asked_again() -> None:
    a, b = IdleLife(3), IdleLife(3)
    for t in range(200):
        first = a.pose(t, 0.0, "idle")
        assert a.pose(t, 0.9, "thinking") == first
        assert first == b.pose(t, 0.0, "idle")


def test_starting_late_and_skipping_is_quick_and_harmless() -> None:
    life = IdleLife(1)
    life.pose(10**9, 0.0, "idle")
    assert isinstance(life.pose(10**9 + 10**7, 0.5, "speaking"), Pose)


@pytest.mark.parametrize("seed", range(4))
def test_blinks_come_at_human_rates(seed: int) -> None:
    poses = run(seed, 5 * MINUTE)
    at = blinks(poses)
    assert 8 <= len(at) / 5 <= 32
    gaps = np.diff(at) / 25
    assert np.median(gaps) > 2 and gaps.max() < 6.5
    for start in at[:20]:
        lids = [p.blink for p in poses[start - 1 : start + 5]]
        assert max(lids) == 1 and any(0 < lid < 1 for lid in lids)
        assert sum(p.blink > 0 for p in poses[max(0, start - 3) : start + 6]) <= 6


def test_phrases_end_with_a_blink_more_often_than_chance() -> None:
    poses = run(5, 4 * MINUTE, "speaking", loud=True)
    at = np.array(blinks(poses))
    after_phrase = ((at % 80 >= 60) & (at % 80 <= 72)).mean()
    assert after_phrase > 0.35  # by chance: 13 of 80


@pytest.mark.parametrize("loud", [False, True])
def test_nothing_jumps_when_the_activity_changes(loud: bool) -> None:
    life = IdleLife(2)
    activities = ["idle", "listening", "thinking", "speaking"]
    poses = [life.pose(t, speech(t) if loud else 0.0, activities[t // 60 % 4]) for t in range(1200)]
    for name, limit in {
        "yaw": 0.3,
        "pitch": 0.35,
        "roll": 0.3,
        "sway_x": 0.3,
        "sway_y": 0.3,
        "breath": 0.05,
        "smile": 0.03,
    }.items():
        steps = np.abs(np.diff([getattr(p, name) for p in poses]))
        assert steps.max() < limit, (name, steps.max())


def test_poses_stay_in_range() -> None:
    for activity in ("idle", "listening", "thinking", "speaking", "no such thing"):
        for pose in run(11, 2 * MINUTE, activity, loud=activity == "speaking"):
            assert all(np.isfinite(astuple(pose)))
            assert abs(pose.yaw) < 5 and abs(pose.pitch) < 5 and abs(pose.roll) < 5
            assert 0 <= pose.blink <= 1 and 0 <= pose.breath <= 1 and 0 <= pose.smile <= 1
            assert -1 <= pose.gaze_x <= 1 and -1 <= pose.gaze_y <= 1 and -1 <= pose.brow <= 1


def test_activities_look_different() -> None:
    def mean(activity: str, name: str) -> float:
        return float(np.mean([getattr(p, name) for p in run(4, 3 * MINUTE, activity)]))

    assert abs(mean("listening", "roll") - mean("idle", "roll")) > 1
    assert mean("thinking", "gaze_y") > mean("idle", "gaze_y") + 0.3
    assert mean("listening", "brow") > 0.1


def test_breath_takes_about_four_seconds() -> None:
    breath = np.array([p.breath for p in run(6, MINUTE)]) - 0.5
    crossings = ((breath[:-1] < 0) & (breath[1:] >= 0)).sum()
    assert 13 <= crossings <= 17


def test_the_head_nods_with_the_voice() -> None:
    quiet = np.std(np.diff([p.pitch for p in run(9, MINUTE, "speaking")]))
    loud = np.std(np.diff([p.pitch for p in run(9, MINUTE, "speaking", loud=True)]))
    assert loud > 2 * quiet
