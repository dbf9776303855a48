"""Which part of a clip a picture shows."""

from __future__ import annotations

import numpy as np
import pytest

from mien.avatar.clip.shot import Shot, frame_shot
from mien.avatar.framing import Rect

FOCUS = (440, 60, 400, 400)
CHIN = 380.0


def shot(size: tuple[int, int], clip: tuple[int, int] = (1280, 720)) -> Shot:
    return frame_shot(size, clip, FOCUS, CHIN)


def test_its_own_size_is_untouched() -> None:
    found = shot((1280, 720))
    assert found.untouched and found.part == Rect(0, 0, 1280, 720)
    picture = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    assert found.of(picture) is not None and np.array_equal(found.of(picture), picture)
    box = np.array([[1.25, 2.5, 30.75, 40.125]], np.float32)
    assert np.array_equal(found.boxes(box), box)


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (854, 480)])
def test_its_own_shape_shows_all_of_it(size: tuple[int, int]) -> None:
    part = shot(size).part
    assert part.width == 1280 and part.height >= 719


def test_a_square_shows_the_focus() -> None:
    part = shot((640, 640)).part
    assert part.width == part.height and part.height >= 400
    assert part.left <= 440 and part.right >= 840 and part.top <= 60 and part.bottom >= 460


def test_a_tall_picture_reaches_down_the_body() -> None:
    part = shot((720, 1280)).part
    assert abs(part.width / part.height - 720 / 1280) < 0.01
    assert part.top <= 60 and part.bottom > 700
    assert abs(part.left + part.width / 2 - 640) <= 1


def test_a_wide_picture_of_a_tall_clip_shows_its_width() -> None:
    found = frame_shot((1280, 720), (720, 1280), (160, 100, 400, 400), 420.0)
    assert found.part.width == 720 and abs(found.part.height - 405) <= 1
    assert found.part.top <= 100 and found.part.bottom >= 420


@pytest.mark.parametrize("size", [(16, 16), (640, 640), (300, 4000), (4000, 300), (720, 1280)])
@pytest.mark.parametrize("focus", [(0, 0, 400, 400), (880, 320, 400, 400), (0, 0, 1280, 720)])
def test_no_picture_reaches_beyond_the_clip(
    size: tuple[int, int], focus: tuple[int, int, int, int]
) -> None:
    found = frame_shot(size, (1280, 720), focus, CHIN)
    part = found.part
    assert part.left >= 0 and part.top >= 0 and part.right <= 1280 and part.bottom <= 720
    assert found.of(np.zeros((720, 1280, 3), np.uint8)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(320, 320), (960, 960), (360, 640)])
def test_points_stay_on_what_they_mark(size: tuple[int, int]) -> None:
    """A white square's middle is where the scaled picture has it."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[200:240, 600:640] = 255
    found = shot(size)
    seen = found.of(picture)[..., 0].astype(float)
    y, x = np.mgrid[0 : size[1], 0 : size[0]] + 0.5
    middle = np.array([(x * seen).sum(), (y * seen).sum()]) / seen.sum()
    expected = found.points(np.array([[620, 220]], np.float32))[0]
    assert np.abs(middle - expected).max() < 0.05
