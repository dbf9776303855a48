"""Idle life: repeatable, smooth, at human rates, and answering to gestures."""

from __future__ import annotations

import random
from dataclasses import astuple

import numpy as np
import pytest

from mien.avatar.contract import Pose
from mien.avatar.life import IdleLife
from mien.gestures import GESTURES

MINUTE = 1500  # ticks
ACTIVITIES = ("idle", "listening", "thinking", "speaking")

# The most a channel may move in one tick, and its speed may change from tick to tick. Heads reach
# some 60 degrees a second when shaken, 2.4 in a tick; nothing but eyes and lids is quicker.
MOST = {  # channel: (step, change of step)
    "yaw": (1.1, 0.6),
    "pitch": (1.5, 0.9),
    "roll": (1.0, 0.55),
    "sway_x": (0.5, 0.25),
    "sway_y": (0.5, 0.3),
    "breath": (0.11, 0.03),
    "gaze_x": (0.5, 0.3),
    "gaze_y": (0.5, 0.3),
    "brow": (0.2, 0.12),
    "smile": (0.03, 0.01),
}
MOST_IN_GESTURES = MOST | {
    "yaw": (2.4, 1.6),
    "pitch": (2.0, 1.3),
    "sway_x": (0.9, 0.6),
    "sway_y": (1.1, 0.75),
    "gaze_x": (0.65, 0.4),
    "gaze_y": (0.65, 0.45),
    "brow": (0.7, 0.5),
    "smile": (0.3, 0.16),
}


def speech(tick: int) -> float:
    """Loudness of made-up speech: syllables of 200 ms, each third stressed, in phrases of 2.4 s."""
    if tick % 80 >= 60:
        return 0.0
    syllable = tick // 5
    return (0.55 if syllable % 3 == 0 else 0.3) * (1 + float(np.sin(2 * np.pi * tick / 5)))


def run(seed: int, ticks: int, activity: str = "idle", loud: bool = False) -> list[Pose]:
    life = IdleLife(seed)
    return [life.pose(t, speech(t) if loud else 0.0, activity) for t in range(ticks)]


def channel(poses: list[Pose], name: str) -> np.ndarray:
    return np.array([getattr(pose, name) for pose in poses])


def blinks(poses: list[Pose]) -> np.ndarray:
    """Ticks at which the eyes close."""
    shut = channel(poses, "blink") > 0.9
    return np.flatnonzero(shut[1:] & ~shut[:-1]) + 1


def adventure(seed: int, ticks: int, gestures: bool) -> list[Pose]:
    """Activities, voices and gestures at random moments."""
    chance = random.Random(seed)
    life, activity, poses = IdleLife(seed), "idle", []
    for t in range(ticks):
        if chance.random() < 0.01:
            activity = chance.choice(ACTIVITIES)
        if gestures and chance.random() < 0.02:
            life.gesture(chance.choice(GESTURES))
        poses.append(life.pose(t, speech(t) if activity == "speaking" else 0.0, activity))
    return poses


def test_the_same_seed_lives_the_same_life() -> None:
    assert adventure(7, 600, True) == adventure(7, 600, True)
    assert run(7, 400) != run(8, 400)


def test_a_tick_may_be_asked_again() -> None:
    a, b = IdleLife(3), IdleLife(3)
    poses = [a.pose(t, 0.0, "idle") for t in range(200)]
    assert [b.pose(t, 0.0, "idle") for t in range(200)] == poses
    # Plans that are taken back are asked for again, a few ticks back, with other speech in them.
    assert [a.pose(t, 0.9, "speaking") for t in range(190, 200)] == poses[190:]
    assert a.pose(200, 0.0, "idle") == b.pose(200, 0.0, "idle")


def test_starting_late_and_skipping_is_quick_and_harmless() -> None:
    life = IdleLife(1)
    life.pose(10**9, 0.0, "idle")
    life.gesture("smile")
    life.pose(10**9 + 10**7, 0.5, "speaking")
    poses = [life.pose(10**9 + 10**7 + t, 0.0, "idle") for t in range(1, 20)]
    assert poses[-1].smile > 0.6, "a gesture asked for in a gap begins after it"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("activity", "least", "most"),
    [("idle", 13, 23), ("listening", 11, 21), ("thinking", 15, 28), ("speaking", 15, 28)],
)
def test_blinks_come_at_human_rates(seed: int, activity: str, least: int, most: int) -> None:
    poses = run(seed, 5 * MINUTE, activity, loud=activity == "speaking")
    at = blinks(poses)
    assert least <= len(at) / 5 <= most
    gaps = np.diff(at) / 25
    assert gaps.max() <= 8.5
    assert np.std(gaps) > 0.25 * np.mean(gaps), "not by the clock"
    for start in at[:20]:
        lids = [p.blink for p in poses[start - 1 : start + 5]]
        assert max(lids) == 1 and any(0 < lid < 1 for lid in lids)


def test_phrases_end_with_a_blink_more_often_than_chance() -> None:
    at = blinks(run(5, 4 * MINUTE, "speaking", loud=True))
    after_phrase = ((at % 80 >= 60) & (at % 80 <= 72)).mean()
    assert after_phrase > 0.4  # by chance: 13 of 80


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("gestures", "most"), [(False, MOST), (True, MOST_IN_GESTURES)])
def test_nothing_jumps_in_place_or_speed(
    seed: int, gestures: bool, most: dict[str, tuple[float, float]]
) -> None:
    poses = adventure(seed, MINUTE, gestures)
    for name, (step, change) in most.items():
        steps = np.diff(channel(poses, name))
        assert np.abs(steps).max() < step, name
        assert np.abs(np.diff(steps)).max() < change, name


@pytest.mark.parametrize("seed", range(1))
def test_poses_stay_in_range(seed: int) -> None:
    life = IdleLife(seed)
    for t in range(2 * MINUTE):
        for name in GESTURES:  # all at once, again and again
            if t % 40 == 0:
                life.gesture(name)
        pose = life.pose(t, speech(t), ("speaking", "no such thing")[t // 500 % 2])
        assert all(np.isfinite(astuple(pose)))
        assert abs(pose.yaw) <= 8 and abs(pose.pitch) <= 6 and abs(pose.roll) <= 6
        assert 0 <= pose.blink <= 1 and 0 <= pose.breath <= 1 and 0 <= pose.smile <= 1
        assert -1 <= pose.gaze_x <= 1 and -1 <= pose.gaze_y <= 1 and -1 <= pose.brow <= 1


def test_activities_look_different() -> None:
    def mean(activity: str, name: str) -> float:
        return float(np.mean(channel(run(4, 3 * MINUTE, activity), name)))

    assert abs(mean("listening", "roll") - mean("idle", "roll")) > 1
    assert mean("listening", "brow") > mean("idle", "brow") + 0.1
    assert mean("thinking", "gaze_y") > mean("idle", "gaze_y") + 0.25
    assert abs(mean("thinking", "yaw") - mean("idle", "yaw")) > 1


def test_thinking_looks_away_and_speaking_looks_back() -> None:
    for seed in range(8):
        life = IdleLife(seed)
        short = [life.pose(t, 0.0, "thinking") for t in range(6)]
        assert max(abs(p.gaze_y) for p in short) < 0.3, "a quick answer needs no glance"
        away = [life.pose(t, 0.0, "thinking") for t in range(6, 40)]
        assert max(p.gaze_y for p in away) > 0.45
        back = [life.pose(t, speech(t), "speaking") for t in range(40, 60)]
        assert abs(back[8].gaze_x) < 0.45 and abs(back[8].gaze_y) < 0.45


def test_eyes_stay_on_the_viewer_while_the_head_nods() -> None:
    still, nodding = IdleLife(2), IdleLife(2)
    nodding.gesture("nod")
    pairs = [(still.pose(t, 0.0, "idle"), nodding.pose(t, 0.0, "idle")) for t in range(40)]
    head = np.array([b.pitch - a.pitch for a, b in pairs])
    eyes = np.array([b.gaze_y - a.gaze_y for a, b in pairs])
    assert head.min() < -3
    assert np.corrcoef(head, eyes)[0, 1] < -0.95


def test_listening_nods_now_and_then() -> None:
    pitch = channel(run(4, 2 * MINUTE, "listening"), "pitch")
    low = pitch < np.median(pitch) - 1.2
    nods = (low[1:] & ~low[:-1]).sum() / 2
    assert 6 <= nods <= 25  # a minute, double ones counted twice


@pytest.mark.parametrize(("activity", "cycles"), [("idle", (12, 18)), ("speaking", (8, 20))])
def test_breath_takes_three_to_seven_seconds(activity: str, cycles: tuple[int, int]) -> None:
    breath = channel(run(6, 2 * MINUTE, activity, activity == "speaking"), "breath") - 0.5
    crossings = ((breath[:-1] < 0) & (breath[1:] >= 0)).sum() / 2
    assert cycles[0] <= crossings <= cycles[1]


def test_speech_is_said_while_breathing_out() -> None:
    breath = np.diff(channel(run(6, 2 * MINUTE, "speaking", loud=True), "breath"))
    inward = np.flatnonzero(breath > 0.02)
    in_pause = ((inward % 80 >= 60) | (inward % 80 < 12)).mean()
    assert in_pause > 0.6


def test_the_head_nods_with_the_voice() -> None:
    quiet = np.std(np.diff(channel(run(9, MINUTE, "speaking"), "pitch")))
    loud = np.std(np.diff(channel(run(9, MINUTE, "speaking", loud=True), "pitch")))
    assert loud > 2 * quiet


# -- gestures --------------------------------------------------------------------------------------


def effect(name: str, ticks: int = 125, seed: int = 1) -> dict[str, np.ndarray]:
    """What the gesture adds to each channel from the tick it is asked for on."""
    plain, asked = IdleLife(seed), IdleLife(seed)
    for t in range(50):
        assert plain.pose(t, 0.0, "idle") == asked.pose(t, 0.0, "idle")
    asked.gesture(name)
    pairs = [
        (plain.pose(t, 0.0, "idle"), asked.pose(t, 0.0, "idle")) for t in range(50, 50 + ticks)
    ]
    return {
        field: np.array([getattr(b, field) - getattr(a, field) for a, b in pairs]) for field in MOST
    }


def test_every_gesture_shows_and_ends() -> None:
    for name in GESTURES:
        added = effect(name)
        assert max(np.abs(added[field]).max() for field in ("yaw", "pitch", "smile", "brow")) > 0.5
        for field, values in added.items():
            assert abs(values[-1]) < 1e-9, (name, field)


def test_a_smile_comes_softly_is_held_and_goes() -> None:
    smile = effect("smile")["smile"]
    assert smile[1] < 0.1 < 0.5 < smile[12]
    assert 40 <= (smile > 0.5).sum() <= 80  # ticks
    assert effect("laugh")["smile"].max() > smile.max()


def test_nods_go_down_and_shakes_to_both_sides() -> None:
    pitch = effect("nod")["pitch"]
    assert pitch.min() < -3 and pitch.max() < 1
    yaw = effect("shake")["yaw"]
    assert yaw.min() < -2 and yaw.max() > 2
    assert 2 <= (np.diff(np.sign(yaw[np.abs(yaw) > 0.3])) != 0).sum() <= 4


def test_brows_tell_surprise_from_seriousness() -> None:
    surprised, serious = effect("surprised"), effect("serious")
    assert surprised["brow"][:7].max() > 0.6, "surprise is quick"
    assert surprised["pitch"].max() > 1.5
    assert serious["brow"].min() < -0.4 and serious["smile"].min() < -0.05


def test_thinking_looks_elsewhere_for_a_moment() -> None:
    gaze = effect("think")["gaze_y"]
    assert gaze.max() > 0.4 and (gaze > 0.3).sum() < 60


def test_gestures_overlap_and_a_newer_one_takes_over() -> None:
    life = IdleLife(1)
    life.gesture("smile")
    life.gesture("nod")
    both = [life.pose(t, 0.0, "idle") for t in range(30)]
    assert max(p.smile for p in both) > 0.6 and min(p.pitch for p in both) < -3
    life.gesture("serious")
    after = [life.pose(t, 0.0, "idle") for t in range(30, 60)]
    assert after[0].smile > 0.5, "not at once"
    assert min(p.brow for p in after) < -0.3


def test_unknown_gestures_are_ignored() -> None:
    plain, asked = IdleLife(1), IdleLife(1)
    asked.gesture("moonwalk")
    assert [asked.pose(t, 0.0, "idle") for t in range(50)] == [
        plain.pose(t, 0.0, "idle") for t in range(50)
    ]
