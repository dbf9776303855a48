"""Tile by tile is the same picture as all at once."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.avatar.tiles import (
    CLEAR,
    EDGE,
    OPAQUE,
    TILE,
    Bench,
    Cover,
    lay,
    tiled,
    tiles_of,
)

SIZE = (96, 80)


def disc() -> np.ndarray:
    """uint8[120, 140, 4], premultiplied: an opaque textured disc with a soft rim."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:120, 0:140]
    alpha = np.clip(45 - np.hypot(x - 70, y - 60), 0, 1)[..., None]
    colour = cv2.GaussianBlur(rng.integers(0, 256, (120, 140, 3), dtype=np.uint8), (0, 0), 3)
    return np.round(np.dstack([colour * alpha, alpha * 255])).astype(np.uint8)


def corners(angle: float, x: float, y: float) -> np.ndarray:
    rows, columns = tiles_of(SIZE)
    grid = np.stack(np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0)), -1) * TILE
    c, s = np.cos(angle), np.sin(angle)
    return (grid @ np.array([[c, s], [-s, c]]) + (x, y) - 0.5).astype(np.float32)


def all_at_once(image: np.ndarray, at: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Every pixel bent and blended in floating point."""
    height, width = below.shape[:2]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    origin, right, down = at[0, 0], (at[0, 1] - at[0, 0]) / TILE, (at[1, 0] - at[0, 0]) / TILE
    source = (origin + x[..., None] * right + y[..., None] * down).astype(np.float32)
    moved = cv2.remap(
        image, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(float)
    return moved + below * (1 - moved[..., 3:] / 255)


@pytest.mark.parametrize(
    ("angle", "x", "y"),
    [(0, 20, 20), (0.1, 13.3, 8.8), (-0.1, 40.5, -30), (0, 300, 0), (0, -80, 0)],
)
def test_tiles_make_the_same_picture(angle: float, x: float, y: float) -> None:
    image, at = disc(), corners(angle, x, y)
    rng = np.random.default_rng(5)
    frame = rng.integers(0, 256, (80, 96, 4), dtype=np.uint8)
    frame[..., 3] = 255
    wanted = all_at_once(image, at, frame.astype(float))
    states = Cover(image[..., 3], image[..., 3], 1.0).at(at)
    lay(image, at, states, tiled(frame), Bench())
    assert np.abs(frame - wanted).max() <= 2


def test_states_are_never_wrong() -> None:
    """A tile called clear or opaque is so in every pixel, wherever it comes from."""
    image = disc()
    cover = Cover(image[..., 3], image[..., 3], 1.0)
    found = set()
    for angle in (-0.1, 0.0, 0.1):
        for x in np.arange(-60, 120, 3.7):
            at = corners(angle, x, 10)
            states = cover.at(at)
            alpha = all_at_once(image, at, np.zeros((80, 96, 4)))[..., 3]
            parts = alpha.reshape(states.shape[0], TILE, states.shape[1], TILE)
            assert (parts.max((1, 3))[states == CLEAR] == 0).all()
            assert (parts.min((1, 3))[states == OPAQUE] > 254.5).all()
            found |= set(np.unique(states).tolist())
    assert found == {CLEAR, EDGE, OPAQUE}


def test_what_may_be_painted_counts() -> None:
    """Where paint may take alpha away, nothing is opaque; where it may add some, nothing clear."""
    alpha = np.zeros((64, 64), np.uint8)
    at = corners(0, 0, 0)[:3, :3]
    assert (Cover(alpha, np.full_like(alpha, 9), 1.0).at(at) == EDGE).all()
    assert (Cover(alpha, alpha, 1.0).at(at) == CLEAR).all()
    assert (Cover(alpha + 255, alpha + 255, 1.0).at(at) == OPAQUE).all()
