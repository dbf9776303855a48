"""Which part of the canvas a picture shows, for any size of either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.avatar.framing import Cut, Rect, View, view

CANVAS = (1024, 1024)
FOCUS = (128, 60, 768, 768)
CHIN = 560.0
FREE = Cut()
PHOTO = Cut(left=True, top=True, right=True)
SIZES = st.tuples(st.integers(8, 1024), st.integers(8, 1024)).map(lambda s: (2 * s[0], 2 * s[1]))


def shown(size: tuple[int, int], at: View) -> tuple[float, float, float, float]:
    """Left, top, right, bottom on the canvas."""
    return (
        at.left,
        at.top,
        at.left + size[0] / at.scale,
        at.top + size[1] / at.scale,
    )


@given(side=st.integers(8, 1024))
def test_a_square_shows_the_focus(side: int) -> None:
    size = (2 * side, 2 * side)
    assert shown(size, view(size, CANVAS, FOCUS, FREE, CHIN)) == pytest.approx((128, 60, 896, 828))


def test_a_wide_picture_has_the_focus_height_and_more_at_the_sides() -> None:
    at = view((1280, 720), CANVAS, FOCUS, FREE, CHIN)
    left, top, right, bottom = shown((1280, 720), at)
    assert (top, bottom) == pytest.approx((60, 828))
    assert left < 0 and right > 1024 and left + right == pytest.approx(1024)


def test_a_tall_picture_reaches_down_to_the_end_of_the_figure() -> None:
    at = view((720, 1280), CANVAS, FOCUS, FREE, CHIN)
    left, top, right, bottom = shown((720, 1280), at)
    assert bottom == pytest.approx(1024) and -60 < top < 60
    assert left + right == pytest.approx(1024) and 500 < right - left < 768


def test_a_photo_fills_every_picture() -> None:
    for size in ((512, 512), (1280, 720), (720, 1280), (64, 900), (900, 64)):
        at = view(size, (600, 800), (0, 0, 600, 600), PHOTO, 420)
        left, top, right, bottom = shown(size, at)
        assert left >= -1e-6 and top >= -1e-6
        assert right <= 600 + 1e-6 and bottom <= 800 + 1e-6


def test_a_wide_photo_keeps_the_face() -> None:
    at = view((1280, 720), (600, 800), (0, 0, 600, 600), PHOTO, 420)
    _, top, _, bottom = shown((1280, 720), at)
    assert bottom - top == pytest.approx(337.5) and top + 0.9 * 337.5 >= 420 - 1e-6


@given(
    size=SIZES,
    focus=st.tuples(st.integers(0, 400), st.integers(0, 400), st.integers(64, 600)),
    cut=st.sampled_from([FREE, PHOTO, Cut(left=True), Cut(right=True), Cut(top=True)]),
    chin=st.floats(0, 1024),
)
def test_no_cut_edge_of_the_figure_is_ever_inside_the_picture(
    size: tuple[int, int], focus: tuple[int, int, int], cut: Cut, chin: float
) -> None:
    left, top, side = focus
    at = view(size, CANVAS, (left, top, side, side), cut, chin)
    begin, above, end, below = shown(size, at)
    assert at.scale > 0
    assert below <= 1024 + 1e-6
    assert not cut.top or above >= -1e-6
    if cut.left and cut.right:
        assert begin >= -1e-6 and end <= 1024 + 1e-6
    elif cut.left:
        assert begin >= -1e-6
    elif cut.right:
        assert end <= 1024 + 1e-6


@given(width=st.integers(300, 760), height=st.integers(300, 1400))
def test_neighbouring_shapes_are_framed_alike(width: int, height: int) -> None:
    """Between square, wide and tall nothing jumps."""
    a = view((width, height), CANVAS, FOCUS, FREE, CHIN)
    b = view((width + 2, height), CANVAS, FOCUS, FREE, CHIN)
    assert abs(a.scale / b.scale - 1) < 0.02
    assert abs(a.top - b.top) < 5 and abs(a.left - b.left) < 8


def test_rectangles() -> None:
    a, b = Rect(2, 3, 10, 5), Rect(8, 0, 10, 5)
    assert a.within(b) == Rect(8, 3, 4, 2) and a.within(Rect(50, 50, 2, 2)).width == 0
    assert a.joined(b) == Rect(2, 0, 16, 8) and a.grown(1) == Rect(1, 2, 12, 7)
    assert a.seen_from(b) == Rect(-6, 3, 10, 5)


@given(left=st.integers(0, 500), width=st.integers(1, 500), scale=st.floats(0.2, 3))
def test_pixels_of_a_box_cover_it(left: int, width: int, scale: float) -> None:
    at = View(-13.5, 7.25, scale)
    rect = at.rect((left, left, width, width))
    for low, high, begin, offset in (
        (rect.left, rect.right, left, -13.5),
        (rect.top, rect.bottom, left, 7.25),
    ):
        first, last = (begin - offset) * scale, (begin + width - offset) * scale
        assert low <= first + 1e-5 < low + 1.001 and high - 1.001 < last - 1e-5 <= high
