"""Composing pictures: what moves, what stays, and that in-betweens show one mouth."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.avatar.atlas import AtlasAvatar
from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.avatar.morph import Morph
from mien.avatar.sheet import between, contact_sheet, mouth_shapes
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

STILL = Pose()
OPEN = MouthShape(0.8, 0.0)
PRESSED = MouthShape(0.0, 0.0, "PP", 1.0)


@pytest.fixture(scope="module")
def avatar() -> AtlasAvatar:
    return load_avatar("mei")


def show(avatar: AtlasAvatar, shape: MouthShape | None, pose: Pose = STILL) -> Image:
    return avatar.compose(0, None if shape is None else Mouth(shape), pose)


def lips(avatar: AtlasAvatar, image: Image) -> Image:
    """The middle of the mouth box, where lips and teeth are."""
    left, top, width, height = avatar.package.mouth.box
    rows = slice(top + height // 5, top + height * 2 // 3)
    return image[rows, left + width // 3 : left + width * 2 // 3]


def difference(a: Image, b: Image) -> np.ndarray:
    return np.abs(a.astype(int) - b.astype(int)).max(-1)


def dark(avatar: AtlasAvatar, image: Image) -> int:
    """Pixels of the open mouth's inside."""
    return int((lips(avatar, image).max(-1) < 60).sum())


def test_picture_is_new_and_as_promised(avatar: AtlasAvatar) -> None:
    a, b = show(avatar, OPEN), show(avatar, OPEN)
    assert a.shape == (512, 512, 3) and a.dtype == np.uint8 and a.flags.writeable
    assert not np.shares_memory(a, b)
    kept = b.copy()
    show(avatar, PRESSED, Pose(yaw=4, blink=1))
    np.testing.assert_array_equal(b, kept)


def test_same_input_same_picture_from_any_thread(avatar: AtlasAvatar) -> None:
    rng = np.random.default_rng(0)
    inputs = [
        (
            Mouth(MouthShape(rng.random(), rng.uniform(-1, 1), "SS", rng.random())),
            Pose(yaw=rng.uniform(-4, 4), blink=rng.random(), breath=rng.random()),
        )
        for _ in range(24)
    ]
    alone = [avatar.compose(i, m, p) for i, (m, p) in enumerate(inputs)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda mp: avatar.compose(0, *mp), inputs))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_mouths_differ_only_inside_their_box(avatar: AtlasAvatar) -> None:
    left, top, width, height = avatar.package.mouth.box
    rest = show(avatar, None)
    for name, shape in mouth_shapes(avatar).items():
        change = difference(show(avatar, shape), rest)
        outside = change.copy()
        outside[top : top + height, left : left + width] = 0
        assert outside.max() == 0, name
        if name != "0.0 +0.0":
            assert (change > 8).sum() > 40, name


def test_no_seam_at_the_box(avatar: AtlasAvatar) -> None:
    """Along the border of the box nothing may change suddenly between mouths."""
    left, top, width, height = avatar.package.mouth.box
    change = difference(show(avatar, OPEN), show(avatar, None))
    ring = np.ones((height, width), bool)
    ring[5:-5, 5:-5] = False
    assert change[top : top + height, left : left + width][ring].max() <= 8


def test_rest_is_no_mouth_and_weight_zero(avatar: AtlasAvatar) -> None:
    rest = show(avatar, None)
    np.testing.assert_array_equal(rest, avatar.compose(0, Mouth(OPEN, weight=0), STILL))
    np.testing.assert_array_equal(rest, show(avatar, MouthShape()))


def test_pressed_lips_are_closed(avatar: AtlasAvatar) -> None:
    assert dark(avatar, show(avatar, PRESSED)) <= 3
    assert dark(avatar, show(avatar, OPEN)) > 150


def test_pressed_lips_are_closed_whatever_the_vowel(avatar: AtlasAvatar) -> None:
    closed = show(avatar, PRESSED)
    held = show(avatar, MouthShape(0.9, 0.3, "PP", 1.0))
    np.testing.assert_array_equal(closed, held)


def test_fading_goes_through_shapes_not_through_ghosts(avatar: AtlasAvatar) -> None:
    half = avatar.compose(0, Mouth(OPEN, weight=0.5), STILL)
    np.testing.assert_array_equal(half, show(avatar, MouthShape(0.4, 0.0)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (MouthShape(), MouthShape(1.0, 0.0)),
        (MouthShape(0.2, 1.0), MouthShape(0.8, -1.0)),
    ],
)
def test_in_betweens_are_sharp(avatar: AtlasAvatar, a: MouthShape, b: MouthShape) -> None:
    """A cross-fade keeps half of both pictures' edges; a real in-between has full ones."""
    first, last = lips(avatar, show(avatar, a)), lips(avatar, show(avatar, b))
    fade = cv2.addWeighted(first, 0.5, last, 0.5, 0)
    morphed = lips(avatar, show(avatar, between(a, b, 0.5)))
    assert _edges(morphed) > 0.8 * min(_edges(first), _edges(last))
    assert _edges(morphed) > 1.1 * _edges(fade)


@pytest.mark.parametrize("rounding", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("openness", [0.4, 0.6, 0.8])
def test_in_betweens_look_like_the_real_ones(
    avatar: AtlasAvatar, openness: float, rounding: float
) -> None:
    """Leave a rendered picture out and rebuild it from those above and below: the morph must be
    much nearer to it than the cross-fade, which shows two mouths."""
    patches = avatar.package.mouth
    index = {
        (p["openness"], p["rounding"]): i for i, p in enumerate(patches.places) if "near" not in p
    }
    below = index[round(openness - 0.2, 1), rounding]
    above = index[round(openness + 0.2, 1), rounding]
    true = patches.images[index[openness, rounding]]
    morph = Morph(patches).patch([(below, 0.5), (above, 0.5)])[..., :3]
    plain = replace(patches, coefficients=None, fields=None)
    fade = Morph(plain).patch([(below, 0.5), (above, 0.5)])[..., :3]
    assert _error(morph, true) < 0.75 * _error(fade, true)


def _error(image: Image, true: Image) -> float:
    """Mean squared error where the mouth is."""
    middle = np.s_[image.shape[0] // 5 : image.shape[0] * 2 // 3, 60:140]
    return float(((image[middle].astype(float) - true[middle]) ** 2).mean())


def _edges(image: Image) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(np.sort(size.ravel())[-200:].mean())


def test_one_pair_of_lips_between_neighbours(avatar: AtlasAvatar) -> None:
    """Half way between neighbours the lower lip is half way, not in two places."""
    places = []
    for openness in (0.6, 0.7, 0.8):
        image = lips(avatar, show(avatar, MouthShape(openness, 0.0)))
        places.append(_lower_lip(image))
    assert places[0] < places[2]
    assert abs(places[1] - (places[0] + places[2]) / 2) <= 1.5


def _lower_lip(image: Image) -> float:
    """Row where the dark inside ends and the lower lip begins, in the middle column."""
    middle = image.shape[1] // 2
    column = image[:, middle - 3 : middle + 4].mean((1, 2))
    darkest = int(column.argmin())
    below = column[darkest:]
    half = (below[0] + below[:25].max()) / 2
    return darkest + float(np.argmax(below > half))


def test_mouth_opens_without_jumps(avatar: AtlasAvatar) -> None:
    """Small steps of the shape make small steps of the picture, across every picture's place."""
    steps = [show(avatar, MouthShape(o, 0.1)) for o in np.linspace(0, 1, 41)]
    changes = [
        float(difference(lips(avatar, a), lips(avatar, b)).mean())
        for a, b in itertools.pairwise(steps)
    ]
    assert max(changes) < 4 * np.median(changes) + 1


def test_blink_and_gaze_move_the_eyes_only(avatar: AtlasAvatar) -> None:
    assert avatar.package.eyes is not None
    left, top, width, height = avatar.package.eyes.box
    rest = show(avatar, None)
    poses = [Pose(blink=1), Pose(blink=0.5), Pose(gaze_x=1), Pose(gaze_y=-1), Pose(brow=1)]
    for pose in poses:
        change = difference(show(avatar, None, pose), rest)
        assert (change > 10).sum() > 50
        change[top : top + height, left : left + width] = 0
        assert change.max() == 0


def test_head_turns_over_a_still_body(avatar: AtlasAvatar) -> None:
    rest = show(avatar, OPEN)
    for pose in (Pose(yaw=4), Pose(pitch=-4), Pose(roll=3)):
        change = difference(show(avatar, OPEN, pose), rest)
        assert change[:340].mean() > 1
        assert change[470:].max() <= 2


def test_breath_and_sway_move_the_body(avatar: AtlasAvatar) -> None:
    rest = show(avatar, None)
    assert difference(show(avatar, None, Pose(breath=1)), rest)[400:].mean() > 0.3
    assert difference(show(avatar, None, Pose(sway_x=3)), rest)[:300].mean() > 1


def test_background_shows_through_alpha_and_stays_still(avatar: AtlasAvatar) -> None:
    rng = np.random.default_rng(3)
    background = rng.integers(0, 255, (512, 512, 3), dtype=np.uint8)
    elsewhere = avatar.with_background(background)
    clear = avatar.package.figure[..., 3] == 0
    clear = cv2.erode(clear.astype(np.uint8), np.ones((61, 61), np.uint8)) > 0
    for pose in (STILL, Pose(yaw=3, roll=2, sway_x=2)):
        image = show(elsewhere, OPEN, pose)
        assert difference(image, background)[clear].max() <= 1
    face = (slice(250, 330), slice(220, 290))
    assert difference(show(elsewhere, OPEN), show(avatar, OPEN))[face].max() == 0


def test_wrong_background_and_patch_are_refused(avatar: AtlasAvatar) -> None:
    with pytest.raises(ValueError, match="background must be uint8"):
        avatar.with_background(np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="draws mouth shapes"):
        avatar.compose(0, Mouth(patch=np.zeros((4, 4, 3), np.uint8)), STILL)


def test_values_beyond_the_contract_are_held(avatar: AtlasAvatar) -> None:
    np.testing.assert_array_equal(
        show(avatar, MouthShape(3.0, -9.0)), show(avatar, MouthShape(1.0, -1.0))
    )
    wild = Pose(blink=7, yaw=90, pitch=-90, roll=90, breath=9, gaze_x=5, brow=-4, smile=8)
    assert show(avatar, OPEN, wild).shape == (512, 512, 3)
    assert show(avatar, MouthShape(0.3, 0.0, "XX", 1.0)).shape == (512, 512, 3)


def test_contact_sheet_shows_everything(avatar: AtlasAvatar) -> None:
    sheet = contact_sheet(avatar)
    assert sheet.dtype == np.uint8 and sheet.ndim == 3 and sheet.shape[2] == 3
    assert len(mouth_shapes(avatar)) >= 16


def median_cost_ms(avatar: AtlasAvatar, pictures: int = 60) -> float:
    """CPU milliseconds of one picture in lively speech (median), on this thread."""
    rng = np.random.default_rng(0)
    costs = []
    for i in range(pictures):
        shape = MouthShape(rng.random(), rng.uniform(-1, 1), "SS", rng.random())
        pose = Pose(
            yaw=rng.uniform(-3, 3), roll=1, breath=0.5, gaze_x=0.1, blink=0.3 * (i % 5 == 0)
        )
        begin = time.thread_time()
        avatar.compose(i, Mouth(shape), pose)
        costs.append((time.thread_time() - begin) * 1000)
    return float(np.median(costs))


def test_cost(avatar: AtlasAvatar, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what a picture costs; asserts nothing about speed, machines differ."""
    cost = median_cost_ms(avatar)
    with capsys.disabled():
        print(f"\ncompose, 512 x 512: {cost:.2f} ms CPU (median)")
