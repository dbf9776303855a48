"""Movements of a surface: exact where given, smooth between, and undone again."""

from __future__ import annotations

import numpy as np

from mien.avatar.photo.warp import Grid, Spline, came_from

BOX = (30, 20, 200, 160)
GRID = Grid(BOX, 4)


def controls() -> np.ndarray:
    random = np.random.default_rng(1)
    return random.uniform((30, 20), (230, 180), (40, 2))


def test_controls_go_where_they_are_told() -> None:
    at = controls()
    moves = np.stack([6 * np.sin(at[:, 1] / 40), 5 * np.cos(at[:, 0] / 50)], 1)
    movement = Spline(at, GRID, 100.0).movement(moves)
    found = GRID.sample(movement, at[:, :1].astype(np.float32), at[:, 1:].astype(np.float32))
    assert abs(found[:, 0] - moves).max() < 0.3


def test_a_straight_movement_stays_straight() -> None:
    at = controls()
    moves = at @ np.array([[0.05, 0.02], [-0.03, 0.04]]) + (3, -2)
    movement = Spline(at, GRID, 100.0).movement(moves).reshape(-1, 2)
    expected = GRID.places @ np.array([[0.05, 0.02], [-0.03, 0.04]]) + (3, -2)
    assert abs(movement - expected).max() < 0.05


def test_the_way_back_is_found_where_the_surface_is_squeezed() -> None:
    y = GRID.y - GRID.corner[1]
    drop = 30 * np.clip(y / 80, 0, 1) * np.clip((160 - y) / 80, 0, 1)
    movement = np.dstack([np.zeros_like(drop), drop]).astype(np.float32)
    x, back = came_from(movement, GRID)
    arrived = back + GRID.sample(movement, x, back)[..., 1]
    assert abs(arrived - GRID.y).max() < 0.3
    assert abs(x - GRID.x).max() < 1e-3


def test_full_size_agrees_with_the_nodes() -> None:
    nodes = np.dstack([GRID.x, GRID.y]).astype(np.float32)
    full = GRID.full(nodes)
    assert full.shape == (160, 200, 2)
    assert abs(full[..., 0] - (np.arange(200) + 30)[None]).max() < 0.05
    assert abs(full[..., 1] - (np.arange(160) + 20)[:, None]).max() < 0.05
