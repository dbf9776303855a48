"""The camera's noise, measured in a clip and given to what is painted into it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import clip_folder
from mien.avatar.clip.avatar import ClipAvatar
from mien.avatar.clip.grain import OFFSETS, grain_like, measured, shifted
from mien.avatar.clip.package import read_clip
from mien.avatar.contract import Pose
from mien.media.tick import Image

ALL = [np.ones((200, 300), bool)]


def noisy(sigma: float, scatter: float = 0.0, seed: int = 0) -> Image:
    """Grey skin, shaded, with noise of ``sigma`` levels that is the same in all channels."""
    noise = np.random.default_rng(seed).standard_normal((200, 300, 1), np.float32)
    if scatter:
        noise = cv2.GaussianBlur(noise, (0, 0), scatter)[..., None]
        noise /= noise.std()
    shade = np.linspace(120, 180, 300)[None, :, None]
    return np.clip(np.round(shade + sigma * noise).repeat(3, 2), 0, 255).astype(np.uint8)


def high(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float32)
    return values - cv2.GaussianBlur(values, (0, 0), 2)


@pytest.mark.parametrize("sigma", [3.5, 5.0, 8.0])
@pytest.mark.parametrize("scatter", [0.0, 0.6, 1.0])
def test_added_grain_is_like_the_measured(sigma: float, scatter: float) -> None:
    """As strong, and as fine: told by its own spectrum, not by what was measured."""
    film = noisy(sigma, scatter)
    grain = grain_like(*measured([film], ALL), (300, 200))
    assert grain is not None and grain.dtype == np.int16
    theirs, ours = high(film)[..., 0], high(grain).mean(2)
    assert abs(ours.std() / theirs.std() - 1) < 0.25
    for step in (1, 2):
        alike = [
            np.corrcoef(a[:, step:].ravel(), a[:, :-step].ravel())[0, 1] for a in (theirs, ours)
        ]
        assert abs(alike[0] - alike[1]) < 0.15
    assert abs(float(grain.mean())) < 0.2


def test_clean_clips_get_none() -> None:
    assert grain_like(*measured([noisy(0.0)], ALL), (100, 100)) is None
    assert grain_like(*measured([noisy(1.0)], ALL), (100, 100)) is None
    nothing = measured([noisy(4.0)], [np.zeros((200, 300), bool)])
    assert nothing == (0, 0, 0) and grain_like(*nothing, (100, 100)) is None


def test_edges_and_hair_are_not_taken_for_noise() -> None:
    clean = noisy(0.0)
    clean[:, 100:110] = 20
    clean[90:100] = 240
    assert grain_like(*measured([clean], ALL), (100, 100)) is None
    light = measured([noisy(4.0)], ALL)[0]
    striped = noisy(4.0)
    striped[:, 100:110] = 20
    assert abs(measured([striped], ALL)[0] / light - 1) < 0.25


def test_colour_noise_stays_coloured() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 300, 3)) * 5
    film = np.clip(150 + noise, 0, 255).astype(np.uint8)
    grain = grain_like(*measured([film], ALL), (300, 200))
    assert grain is not None
    tint = grain - grain.mean(2, keepdims=True)
    theirs = high(film) - high(film).mean(2, keepdims=True)
    assert abs(tint.std() / theirs.std() - 1) < 0.25


def test_every_frame_gets_another_part_and_always_the_same() -> None:
    grain = grain_like(*measured([noisy(4.0)], ALL), (100, 80))
    assert grain is not None
    parts = [shifted(grain, frame)[:80, :100] for frame in range(30)]
    assert all(part.shape == (80, 100, 3) for part in parts)
    assert len({part.tobytes() for part in parts}) > 25
    assert np.array_equal(shifted(grain, 7), shifted(grain, 7))
    assert shifted(grain, 10**9).shape[0] >= 80 and grain.shape[0] == 80 + OFFSETS


def test_a_mouth_in_a_noisy_clip_is_as_noisy(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = clip_folder.write_clip(tmp_path_factory.mktemp("noisy") / "filmed", count=8)
    rng = np.random.default_rng(1)
    for file in sorted((folder / "frames").iterdir()):
        image = cv2.imread(str(file)).astype(np.float32)
        image += 5 * rng.standard_normal((*image.shape[:2], 1), np.float32)
        cv2.imwrite(str(file), np.clip(image, 0, 255), [cv2.IMWRITE_JPEG_QUALITY, 95])
    avatar = ClipAvatar(read_clip(folder))
    mouth = clip_folder.painted(3, 0.0)
    shown = avatar.compose(0, mouth, Pose(frame=3))
    filmed = avatar.package.picture(3)
    x, y = avatar.reel.landmarks[3, 152].astype(int)
    chin = np.s_[y - 26 : y - 12, x - 18 : x + 18]  # skin within the patch
    ratio = high(shown)[chin].std() / high(filmed)[chin].std()
    assert 0.7 < ratio < 1.3
    assert np.array_equal(shown, avatar.compose(0, mouth, Pose(frame=3)))
    nose = int(avatar.reel.landmarks[3, 2, 1])
    assert np.array_equal(shown[: nose + 1], filmed[: nose + 1])
