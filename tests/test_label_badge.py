"""The badge in pictures of any shape: where it should be, and nothing else changed."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.label.badge import Badge, Corner, Words
from mien.media.alpha import side_by_side

Picture = NDArray[np.uint8]
CORNERS: list[Corner] = ["top-left", "top-right", "bottom-left", "bottom-right"]
WORDS: list[Words] = ["zh", "en", "both"]


def noise(width: int, height: int, channels: int = 3) -> Picture:
    return np.random.default_rng(5).integers(0, 256, (height, width, channels), dtype=np.uint8)


def box(changed: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """left, top, right, bottom of what differs; right and bottom as distances from there."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    height, width = changed.shape
    return int(columns[0]), int(rows[0]), width - 1 - int(columns[-1]), height - 1 - int(rows[-1])


@pytest.mark.parametrize("size", [(640, 360), (640, 640), (720, 1280), (1920, 1080), (322, 242)])
@pytest.mark.parametrize("corner", CORNERS)
def test_it_is_in_its_corner_and_leaves_the_rest_alone(
    corner: Corner, size: tuple[int, int]
) -> None:
    before = noise(*size)
    for words in WORDS:
        kept = before.copy()
        after = Badge(words, corner).on(before)
        assert (before == kept).all(), "ticks are never modified"
        changed = (after != before).any(axis=-1)
        left, top, right, bottom = box(changed)
        near = 0.05 * min(size)
        assert (left < near) is (corner.endswith("left"))
        assert (right < near) is (corner.endswith("right"))
        assert (top < near) is (corner.startswith("top"))
        assert (bottom < near) is (corner.startswith("bottom"))
        assert min(left, top, right, bottom) >= 0
        whole = changed[top : size[1] - bottom, left : size[0] - right]
        assert whole.mean() > 0.9, "one plate"
        assert Badge(words, corner).on(before.copy(), fresh=True).tobytes() == after.tobytes()


@pytest.mark.parametrize(("words", "size"), list(product(WORDS, [0.05, 0.08])))
def test_its_letters_are_as_high_as_the_standard_asks(words: Words, size: float) -> None:
    for width, height in ((640, 360), (640, 640), (720, 1280), (1080, 1920)):
        black = np.zeros((height, width, 3), np.uint8)
        letters = Badge(words, size=size).on(black)[..., 0] > 60  # the plate stays below
        _, top, _, bottom = box(letters)
        assert height - top - bottom >= size * min(width, height) - 1


def test_however_large_all_of_it_is_in_the_picture() -> None:
    for words, size in product(WORDS, [(64, 64), (120, 640), (640, 120)]):
        left, top, right, bottom = box(
            (Badge(words, "bottom-right", 0.2).on(noise(*size)) != noise(*size)).any(axis=-1)
        )
        assert left > 0 and top > 0 and right > 0 and bottom > 0, (words, size)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_it_can_be_read_on_any_wall(grey: int) -> None:
    """Contrast of WCAG 2.1 (1.4.3) for large text: 3:1."""
    wall = np.full((360, 640, 3), grey, np.uint8)
    shown = Badge("zh").on(wall)[..., 0]
    letters, plate = np.percentile(shown[shown != grey], [99, 20]) / 255

    def luminance(value: float) -> float:
        return float(((value + 0.055) / 1.055) ** 2.4 if value > 0.04045 else value / 12.92)

    assert (luminance(letters) + 0.05) / (luminance(plate) + 0.05) > 3


def test_less_opaque_shows_more_of_what_is_behind() -> None:
    wall = np.full((360, 640, 3), 200, np.uint8)
    faint, strong = (Badge("zh", opacity=o).on(wall).astype(int) for o in (0.3, 1.0))
    assert np.abs(faint - 200).max() < np.abs(strong - 200).max() / 2


def over(cutout: Picture, wall: Picture) -> NDArray[np.float64]:
    alpha = cutout[..., 3:] / 255
    return cutout[..., :3] * alpha + wall * (1 - alpha)


def test_over_a_cut_out_it_looks_as_it_does_over_the_picture() -> None:
    figure, wall = noise(320, 240, 4), noise(320, 240)
    badge = Badge("both", "bottom-left")
    expected = badge.on(np.rint(over(figure, wall)).astype(np.uint8))
    shown = badge.on_figure(figure)
    assert np.abs(over(shown, wall) - expected).max() < 2
    elsewhere = (expected == np.rint(over(figure, wall)).astype(np.uint8)).all(axis=-1)
    assert (shown[elsewhere] == figure[elsewhere]).all()


def test_both_halves_of_a_cut_out_have_it() -> None:
    figure = np.zeros((240, 320, 4), np.uint8)
    cv2.circle(figure, (160, 120), 60, (220, 170, 140, 255), -1)
    before = side_by_side(figure)
    after = Badge("zh").on_halves(before.copy())
    colours, alpha = np.hsplit(after, 2)
    changed = [
        (new != old).any(axis=-1)
        for new, old in zip((colours, alpha), np.hsplit(before, 2), strict=True)
    ]
    for half in changed:
        left, top, right, _ = box(half)
        assert left < 20 and top < 20 and right > 160
    at = np.unravel_index(np.argmax(alpha[:40, :100, 0]), (40, 100))
    assert alpha[at].min() > 180 and colours[at].min() > 240, "white letters, hardly seen through"
    assert (alpha[..., 0] == alpha[..., 1]).all() and (alpha[..., 0] == alpha[..., 2]).all()
