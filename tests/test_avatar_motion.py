"""Where places of the figure go when head and body move."""

from __future__ import annotations

import numpy as np
import pytest

from mien.avatar.contract import Pose
from mien.avatar.motion import LIMITS, Body, controls, moves
from mien.avatar.package import Layer

BODY = Body(canvas=(512, 512), neck=(256.0, 380.0), chin=350.0, unit=1.0)
CLEAR = np.zeros((8, 8, 4), np.uint8)
YAW, PITCH, ROLL, SWAY_X, SWAY_Y, BREATH = range(6)


def goes(layer: Layer, x: float, y: float, control: int, amount: float) -> tuple[float, float]:
    """Pixels right and down."""
    move = moves(layer, BODY, np.array([x, x + 1]), np.array([y, y + 1]))[control, 0, 0]
    return float(move[0] * amount), float(move[1] * amount)


def flat(depth: float, follow: float) -> Layer:
    grid = np.full((16, 16), 1, np.float32)
    return Layer(
        "part", CLEAR, (0, 0, 512, 512), grid * np.float32(depth), grid * np.float32(follow)
    )


AVERAGE = Layer("head", CLEAR, (0, 0, 512, 512), None, None)


def test_a_turn_moves_the_nose_further_than_the_ears_and_not_the_chest() -> None:
    nose, ear = goes(AVERAGE, 256, 230, YAW, 8)[0], goes(AVERAGE, 150, 230, YAW, 8)[0]
    assert nose > 2 * ear > 0
    assert goes(AVERAGE, 256, 500, YAW, 8) == pytest.approx((0, 0), abs=0.01)
    assert goes(AVERAGE, 256, 230, PITCH, 6)[1] < -5


def test_depth_and_follow_are_heeded() -> None:
    near = 100 * np.radians(8)
    assert goes(flat(100, 1), 300, 200, YAW, 8) == pytest.approx((near, 0), abs=1e-3)
    assert goes(flat(100, 0.5), 300, 200, YAW, 8) == pytest.approx((near / 2, 0), abs=1e-3)
    assert goes(flat(100, 0), 300, 200, ROLL, 6) == pytest.approx((0, 0), abs=1e-6)


def test_roll_turns_about_the_neck() -> None:
    assert goes(flat(50, 1), 256, 380, ROLL, 6) == pytest.approx((0, 0), abs=1e-3)
    right, down = goes(flat(50, 1), 256, 180, ROLL, 6)
    assert right == pytest.approx(200 * np.radians(6), abs=0.1) and abs(down) < 0.1


def test_what_lies_behind_does_not_slide_out() -> None:
    assert goes(flat(-120, 1), 300, 300, YAW, 8)[0] > -1


def test_sway_and_breath_move_the_body() -> None:
    assert goes(AVERAGE, 256, 200, SWAY_X, 3) == pytest.approx((3, 0))
    assert goes(AVERAGE, 256, 200, SWAY_Y, 3) == pytest.approx((0, 3))
    assert goes(AVERAGE, 256, 470, BREATH, 1)[1] < -1


def test_controls_are_held_within_their_limits() -> None:
    wild = controls(Pose(yaw=99, pitch=-99, roll=99, sway_x=-99, sway_y=99, breath=-1))
    np.testing.assert_array_equal(wild, LIMITS * (1, -1, 1, -1, 1, 0))
    assert controls(Pose(yaw=3)).tolist() == [3, 0, 0, 0, 0, 0]
