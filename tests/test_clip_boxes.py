"""Boxes as detectors frame faces, and exactly as the published code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.avatar.clip.boxes import (
    detections,
    face_boxes,
    published_boxes,
    published_smoothing,
    raw_boxes,
)
from mien.avatar.clip.smoothing import STEADY, filled, savgol, smoothed, without_slips
from mien.avatar.photo.geometry import CHEEKS, CHIN, FOREHEAD, OUTER_LOWER, OVAL

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "wav2lip_prep.npz"
FRAMES = 60
SIZE = (640, 480)


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.generic]]:
    if not GOLDEN.is_file():
        pytest.skip(f"no reference data: {GOLDEN} is not there")
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def test_padding_as_published(golden: dict[str, NDArray[np.int64]]) -> None:
    height, width = golden["frames"].shape[1:3]
    top, bottom, left, right = (int(v) for v in golden["pads"])
    pads = (top, bottom, left, right)
    got = published_boxes(golden["rects"], (width, height), pads, smooth=False)
    assert np.array_equal(got, golden["coords_nosmooth"])


def test_padding_and_smoothing_as_published(golden: dict[str, NDArray[np.int64]]) -> None:
    height, width = golden["frames"].shape[1:3]
    got = published_boxes(golden["rects"], (width, height))
    assert np.array_equal(got[golden["frame_index"]], golden["coords"])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
def test_smoothing_as_published(golden: dict[str, NDArray[np.int64]], count: int) -> None:
    before = golden[f"smooth_in_{count}"].copy()
    assert np.array_equal(published_smoothing(before), golden[f"smooth_out_{count}"])
    assert np.array_equal(before, golden[f"smooth_in_{count}"]), "its input stays as it was"


def face() -> NDArray[np.float64]:
    """float64[468, 3] pixels: an oval with everything that the boxes look at."""
    rng = np.random.default_rng(5)
    points = rng.uniform((270, 150, -30), (370, 300, 30), (468, 3))
    angle = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    points[OVAL, 0], points[OVAL, 1] = 320 + 75 * np.sin(angle), 230 - 100 * np.cos(angle)
    points[list(CHEEKS), 0] = 245, 395
    points[[FOREHEAD, CHIN], 1] = 130, 330
    return points


def film(shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[N, 468, 3]: ``face`` moved by float64[N, 2] pixels."""
    points = np.repeat(face()[None], len(shift), 0)
    points[:, :, :2] += shift[:, None]
    return points


def swaying() -> NDArray[np.float64]:
    at = np.arange(FRAMES) / 25
    return np.stack([22 * np.sin(2 * np.pi * 0.8 * at), 9 * np.cos(2 * np.pi * 1.6 * at)], 1)


def test_a_box_reaches_from_above_the_forehead_to_below_the_chin() -> None:
    left, top, right, bottom = face_boxes(film(np.zeros((FRAMES, 2))), SIZE)[30]
    assert (left, right) == (pytest.approx(245, abs=0.1), pytest.approx(395, abs=0.1))
    assert 112 < top < 120 and 332 < bottom < 338


def test_boxes_move_with_the_head_without_delay() -> None:
    shift = swaying()
    boxes = face_boxes(film(shift), SIZE) - face_boxes(film(np.zeros((FRAMES, 2))), SIZE)
    assert np.abs(boxes - np.tile(shift, 2)).max() < 0.6
    assert np.abs(boxes - np.tile(shift, 2)).mean() < 0.15


def test_boxes_do_not_move_with_the_jaw() -> None:
    """Five syllables a second move chin and lips by 12 pixels."""
    points = film(np.zeros((FRAMES, 2)))
    drop = 6 - 6 * np.cos(2 * np.pi * 5 * np.arange(FRAMES) / 25)
    points[:, [CHIN, 148, 377, 176, 400, *OUTER_LOWER], 1] += drop[:, None]
    assert np.ptp(raw_boxes(points)[:, 3]) > 10
    assert np.ptp(face_boxes(points, SIZE), axis=0).max() < 1.0
    closed = face_boxes(film(np.zeros((FRAMES, 2))), SIZE)
    assert 3 < (face_boxes(points, SIZE) - closed)[:, 3].mean() < 8, "for the jaw on average"


def test_boxes_stay_in_the_picture() -> None:
    for shift in ((-260, 0), (260, 160), (0, -130)):
        boxes = face_boxes(film(np.tile(np.array(shift, float), (FRAMES, 1))), SIZE)
        assert (boxes >= 0).all() and (boxes[:, 2] <= 640).all() and (boxes[:, 3] <= 480).all()
        assert (boxes[:, 2:] - boxes[:, :2] > 40).all()


def test_detections_are_whole_pixels_towards_zero() -> None:
    found = detections(film(np.full((3, 2), -250.4)))
    assert found.dtype == np.int64 and (found >= 0).all()
    assert np.array_equal(found[0], np.maximum(raw_boxes(film(np.full((1, 2), -250.4)))[0], 0) // 1)


def test_trembling_goes_and_movement_stays() -> None:
    shift = swaying()
    rng = np.random.default_rng(2)
    true = film(shift)
    seen = true + rng.normal(0, 0.8, true.shape) + rng.normal(0, 0.8, (FRAMES, 1, 3))
    got = smoothed(seen)
    within, whole = got - true, (got - true)[:, STEADY, :2].mean(1)
    assert within[..., :2].std() < 0.8 * (seen - true)[..., :2].std()
    assert np.abs(np.diff(whole, axis=0)).mean() < 0.35 * 0.8
    assert np.abs((smoothed(true) - true)[:, :, :2]).max() < 1.0


def test_quick_lips_keep_their_height() -> None:
    points = film(swaying())
    opening = 8 - 8 * np.cos(2 * np.pi * 4 * np.arange(FRAMES) / 25)
    points[:, 17, 1] += opening
    got = smoothed(points)[:, 17, 1] - smoothed(film(swaying()))[:, 17, 1]
    assert np.abs(got - opening)[5:-5].max() < 2.0


def test_a_slip_of_one_frame_is_repaired_and_a_step_is_not() -> None:
    points = film(swaying())
    slipped = points.copy()
    slipped[31] += 40
    assert np.abs(without_slips(slipped) - points)[..., :2].max() < 3
    stepped = points.copy()
    stepped[31:] += 40
    assert np.array_equal(without_slips(stepped), stepped)


def test_gaps_are_bridged_evenly() -> None:
    a, b = np.zeros((2, 3), np.float32), np.full((2, 3), 4, np.float32)
    got = filled([None, a, None, None, None, b, None])
    assert got[:, 0, 0].tolist() == [0, 0, 1, 2, 3, 4, 4]
    with pytest.raises(ValueError, match="no frame"):
        filled([None, None])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 30])
def test_quartics_pass_unchanged(count: int) -> None:
    at = np.arange(count, dtype=float)
    values = np.stack([at, 3 - 2 * at + 0.5 * at**2 - 0.01 * at**4], 1)
    assert np.allclose(savgol(values, 6), values, atol=1e-6)
