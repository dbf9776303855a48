"""Scaling: sharp, in place, and the same whether a picture is scaled whole or in parts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.avatar.framing import Rect, View
from mien.avatar.resample import premultiplied, resampled, taps


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)


@given(
    start=st.floats(-40, 40),
    scale=st.floats(0.2, 4),
    many=st.integers(1, 60),
    count=st.integers(4, 50),
)
def test_shares_sum_to_one_and_name_pixels_that_exist(
    start: float, scale: float, many: int, count: int
) -> None:
    pixels, shares = taps(start + np.arange(many) / scale, count, scale)
    assert pixels.min() >= 0 and pixels.max() < count
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-4)


@pytest.mark.parametrize("scale", [0.4, 2 / 3, 1.0, 1.6])
def test_parts_fit_into_the_whole(scale: float) -> None:
    """A crop scaled apart equals the same place of the whole: no seam, whatever the phase."""
    image = picture(96, 120)
    at = View(3.7, -2.2, scale)
    whole = Rect(-4, 1, 60, 40)
    part = Rect(9, 12, 20, 15)
    complete = resampled(image, (0, 0), at, whole)
    crop = resampled(image[2:94, 3:118], (3, 2), at, part)
    same = complete[part.seen_from(whole).slices]
    np.testing.assert_array_equal(crop, same)


def test_scale_one_changes_nothing() -> None:
    image = picture(40, 50)
    np.testing.assert_array_equal(
        resampled(image, (0, 0), View(7, 5, 1), Rect(3, 2, 20, 20)), image[7:27, 10:30]
    )


def test_places_stay_where_they_are() -> None:
    """A bright spot on the canvas is found where the view says."""
    image = np.zeros((200, 200, 4), np.uint8)
    cv2.circle(image, (120, 80), 12, (255, 255, 255, 255), -1)
    for at in (View(20, 10, 0.5), View(33.3, 12.5, 1.7)):
        out = resampled(image, (0, 0), at, Rect(0, 0, 200, 150))
        y, x = np.nonzero(out[..., 3] > 128)
        assert (x.mean() + 0.5, y.mean() + 0.5) == pytest.approx(
            ((120.5 - at.left) * at.scale, (80.5 - at.top) * at.scale), abs=0.1
        )


def test_shrinking_skips_nothing() -> None:
    """Fine stripes become grey, not some of the stripes."""
    image = np.zeros((64, 64, 4), np.uint8)
    image[:, ::2] = 255
    out = resampled(image, (0, 0), View(0, 0, 0.25), Rect(2, 2, 12, 12))
    assert abs(out.astype(int) - 128).max() <= 12


def test_what_clear_pixels_hide_does_not_bleed() -> None:
    image = np.full((32, 32, 4), 255, np.uint8)
    image[:, 16:] = (0, 255, 0, 0)
    out = resampled(premultiplied(image), (0, 0), View(0, 0, 0.6), Rect(0, 0, 19, 19)).astype(int)
    np.testing.assert_allclose(out[..., :3], out[..., 3:].repeat(3, 2), atol=1)
