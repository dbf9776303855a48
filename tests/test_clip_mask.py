"""Where a painted mouth shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import clip_folder
from mien.avatar.clip.mask import GRID, edge_fade, masks
from mien.avatar.clip.points import JAW, LIPS, MOUTH_CORNERS, NOSE_BASE

BOXES = clip_folder.boxes()
LANDMARKS = clip_folder.landmarks()


def shown(number: int, frame: int = 0, turn: float = 0.0) -> float:
    """0…1, how much shows at a landmark."""
    boxes, points = BOXES[frame : frame + 1], turned(frame, turn)[None]
    mask = masks(boxes, points)[0]
    return value(mask, boxes[0], points[0, number])


def value(mask: np.ndarray, box: np.ndarray, point: np.ndarray) -> float:
    x, y = (point - box[:2]) / (box[2:] - box[:2]) * GRID
    inside = 0 <= x < GRID and 0 <= y < GRID
    return float(mask[int(y), int(x)]) / 255 if inside else 0.0


def turned(frame: int, degrees: float) -> np.ndarray:
    """The landmarks, turned about the middle of the box."""
    left, top, right, bottom = BOXES[frame]
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return ((LANDMARKS[frame] - middle) @ matrix.T + middle).astype(np.float32)


@pytest.mark.parametrize("turn", [0, -15, 15])
def test_all_of_the_lips_and_nothing_of_the_nose(turn: float) -> None:
    assert min(shown(n, turn=turn) for n in LIPS) > 0.9
    assert max(shown(n, turn=turn) for n in NOSE_BASE) == 0
    assert shown(1, turn=turn) == 0 and shown(33, turn=turn) == 0


def test_nothing_at_the_ears_and_little_at_the_jaws_corners() -> None:
    assert max(shown(n) for n in (234, 93, 132, 454, 323, 361)) == 0
    assert max(shown(n) for n in JAW[:6] + JAW[-6:]) < 0.3


def test_a_round_mouth_leaves_room_for_a_broad_one() -> None:
    """Filmed saying "oo" in one picture, the lips may be painted saying "ee" in it."""
    points = np.repeat(LANDMARKS[:1], 2, 0)
    middle = points[1, list(LIPS)].mean(0)
    points[1, list(LIPS)] = middle + (points[1, list(LIPS)] - middle) * (0.6, 1)
    broad, narrow = masks(np.repeat(BOXES[:1], 2, 0), points)
    for corner in MOUTH_CORNERS:
        assert value(narrow, BOXES[0], LANDMARKS[0, corner]) > 0.9
    assert np.abs(broad.astype(int) - narrow).mean() < 2, "it does not breathe with filmed speech"


def test_the_chin_is_within() -> None:
    assert shown(152) > 0.5


def test_it_ends_before_the_box_does() -> None:
    for mask in masks(BOXES, LANDMARKS):
        assert not mask[0].any() and not mask[-1].any()
        assert not mask[:, 0].any() and not mask[:, -1].any()


def test_it_ends_within_a_box_too_small_for_it() -> None:
    box = BOXES[:1].copy()
    box[0, 3] = LANDMARKS[0, 152, 1] - 10  # above the chin
    mask = masks(box, LANDMARKS[:1])[0]
    assert mask.max() == 255 and not mask[-1].any()


def test_it_fades_without_a_step() -> None:
    """Over three cells or more where room is scarce, under the nose, and over five at the sides."""
    mask = masks(BOXES[:1], LANDMARKS[:1])[0].astype(int)
    for line in (mask[:, GRID // 2], mask[GRID * 2 // 3]):
        partly = (line > 0) & (line < 255)
        first, last = np.flatnonzero(line)[[0, -1]]
        middle = (first + last) // 2
        assert partly[:middle].sum() >= 3 and partly[middle:].sum() >= 3
    assert partly.sum() >= 10
    assert ((mask > 0) & (mask < 255)).sum() > 0.4 * (mask > 0).sum()


def test_it_goes_with_the_face() -> None:
    """The presenter moves and her box with her, so that the mask stays where it is in the box."""
    found = masks(BOXES, LANDMARKS).astype(int)
    assert np.abs(found - found[0]).max() <= 8


def test_it_is_one_region_whatever_the_mouth_does() -> None:
    points = LANDMARKS[:1].copy()
    points[0, [84, 17, 314, 181, 405]] += (0, 14)
    points[0, [152, 148, 377, 176, 400]] += (0, 12)
    for mask in masks(np.repeat(BOXES[:1], 2, 0), np.concatenate([LANDMARKS[:1], points])):
        assert cv2.connectedComponents((mask > 0).astype(np.uint8))[0] == 2


def test_points_on_one_spot_do_no_harm() -> None:
    points = np.full((1, 468, 2), 150, np.float32)
    assert np.isfinite(masks(BOXES[:1], points).astype(float)).all()


def test_patches_fade_in_from_their_own_borders() -> None:
    whole = edge_fade((0.0, 0.0, 1.0, 1.0))
    assert (whole == 1).all()
    lower = edge_fade((0.0, 0.5, 1.0, 0.5))
    assert not lower[: GRID // 2 + 1].any() and (lower[GRID // 2 + 8 :] == 1).all()
    middle = edge_fade((0.125, 0.5, 0.75, 0.5))
    assert not middle[:, : GRID // 8].any() and not middle[:, -GRID // 8 :].any()
    assert middle[-1, GRID // 2] == 1 and not middle.flags.writeable
