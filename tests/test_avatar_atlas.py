"""Composing pictures: what moves, what stays, and that in-betweens show one mouth."""

from __future__ import annotations

import itertools
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.avatar.atlas import AtlasAvatar
from mien.avatar.background import Background
from mien.avatar.contract import Pose
from mien.avatar.framing import View
from mien.avatar.library import list_avatars, load_avatar
from mien.avatar.morph import Morph
from mien.lipsync.contract import Mouth, MouthShape
from mien.media.tick import Image

STILL = Pose()
OPEN = MouthShape(0.8, 0.0)
PRESSED = MouthShape(0.0, 0.0, "PP", 1.0)
PRESENTERS = [info.name for info in list_avatars() if info.built_in]


@pytest.fixture(params=PRESENTERS)
def presenter(request: pytest.FixtureRequest) -> AtlasAvatar:
    return load_avatar(str(request.param))


@pytest.fixture(scope="module")
def drawn(drawn_avatar: Path) -> AtlasAvatar:
    return load_avatar(drawn_avatar, (256, 256))


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Background:
    file = tmp_path_factory.mktemp("background") / "noise.png"
    image = np.random.default_rng(3).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    assert cv2.imwrite(str(file), image)
    return Background("image", image=file)


def show(avatar: AtlasAvatar, shape: MouthShape | None, pose: Pose = STILL) -> Image:
    return avatar.compose(0, None if shape is None else Mouth(shape), pose)


def lips(avatar: AtlasAvatar, image: Image) -> Image:
    """The middle of the mouth box, where lips and teeth are."""
    left, top, width, height = avatar.stage.mouth_place
    rows = slice(top + height // 5, top + height * 2 // 3)
    return image[rows, left + width // 3 : left + width * 2 // 3]


def difference(a: Image, b: Image) -> np.ndarray:
    return np.abs(a.astype(int) - b.astype(int)).max(-1)


def dark(avatar: AtlasAvatar, image: Image) -> int:
    """Pixels of the open mouth's inside."""
    return int((lips(avatar, image).max(-1) < 60).sum())


def grid(avatar: AtlasAvatar) -> dict[tuple[float, float], int]:
    """Openness, rounding → index of the picture, without smiles."""
    return {
        (p.openness, p.rounding): i
        for i, p in enumerate(avatar.package.mouth.places)
        if not p.consonant and not p.smile
    }


# -- the contract -------------------------------------------------------------------------


def test_picture_is_new_and_as_promised(drawn: AtlasAvatar) -> None:
    a, b = show(drawn, OPEN), show(drawn, OPEN)
    assert a.shape == (256, 256, 3) and a.dtype == np.uint8 and a.flags.writeable
    assert not np.shares_memory(a, b)
    kept = b.copy()
    show(drawn, PRESSED, Pose(yaw=4, blink=1))
    np.testing.assert_array_equal(b, kept)


def test_same_input_same_picture_from_any_thread(drawn: AtlasAvatar) -> None:
    rng = np.random.default_rng(0)
    inputs = [
        (
            Mouth(MouthShape(rng.random(), rng.uniform(-1, 1), "FF", rng.random())),
            Pose(yaw=rng.uniform(-8, 8), blink=rng.random(), breath=rng.random(), smile=0.3),
        )
        for _ in range(24)
    ]
    alone = [drawn.compose(i, m, p) for i, (m, p) in enumerate(inputs)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda mp: drawn.compose(0, *mp), inputs))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


DEGREES = st.floats(-20, 20)
SHARES = st.floats(-2, 2)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mouth=st.tuples(SHARES, SHARES, st.sampled_from(["", "PP", "FF", "XX"]), SHARES),
    head=st.tuples(DEGREES, DEGREES, DEGREES, DEGREES, DEGREES),
    face=st.tuples(SHARES, SHARES, SHARES, SHARES, SHARES, SHARES),
)
def test_any_pose_is_a_picture_and_the_cutout_is_the_same_person(
    drawn: AtlasAvatar,
    noise: Background,
    mouth: tuple[float, float, str, float],
    head: tuple[float, float, float, float, float],
    face: tuple[float, float, float, float, float, float],
) -> None:
    """Laid over the background, the cutout is what ``compose`` makes."""
    yaw, pitch, roll, sway_x, sway_y = head
    blink, breath, gaze_x, gaze_y, brow, smile = face
    pose = Pose(blink, yaw, pitch, roll, sway_x, sway_y, breath, gaze_x, gaze_y, brow, smile)
    avatar = drawn.with_background(noise)
    shown = show(avatar, MouthShape(*mouth), pose)
    cut = avatar.cutout(0, Mouth(MouthShape(*mouth)), pose)
    assert shown.shape == (256, 256, 3) and cut.shape == (256, 256, 4)
    alpha = cut[..., 3:] / 255
    behind = noise.picture((256, 256), (0, 0, 0), (0, 0, 0))
    over = cut[..., :3] * alpha + behind * (1 - alpha)
    # Straight colour of nearly clear pixels is coarse; what it adds is not.
    assert np.abs(over - shown).max() <= 2.5


def test_values_beyond_the_contract_are_held(drawn: AtlasAvatar) -> None:
    wide = show(drawn, MouthShape(1.0, -1.0))
    np.testing.assert_array_equal(show(drawn, MouthShape(3.0, -9.0)), wide)
    wild = Pose(yaw=90, pitch=-90, roll=90, sway_x=99, breath=9)
    held = Pose(yaw=8, pitch=-6, roll=6, sway_x=8, breath=1)
    np.testing.assert_array_equal(show(drawn, OPEN, wild), show(drawn, OPEN, held))


def test_patches_are_refused(drawn: AtlasAvatar) -> None:
    with pytest.raises(ValueError, match="draws mouth shapes"):
        drawn.compose(0, Mouth(patch=np.zeros((4, 4, 3), np.uint8)), STILL)


@pytest.mark.parametrize("size", [(15, 16), (100, 101), (0, 0), (8192, 64)])
def test_impossible_sizes_are_refused(drawn: AtlasAvatar, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="both must be even"):
        drawn.framed(size)


# -- sizes and backgrounds ----------------------------------------------------------------


@pytest.mark.parametrize("size", [(720, 1280), (366, 274)])
def test_every_size_shows_the_same_face(presenter: AtlasAvatar, size: tuple[int, int]) -> None:
    """The face of one size is the face of another, enlarged."""
    other = presenter.framed(size)
    a, b = show(presenter, OPEN), show(other, OPEN)
    assert b.shape == (size[1], size[0], 3) and other.size == size
    box = presenter.package.mouth.box
    crops = [
        cv2.resize(
            image[avatar.stage.view.rect(box).slices], (30, 30), interpolation=cv2.INTER_AREA
        )
        for image, avatar in ((a, presenter), (b, other))
    ]
    assert difference(*crops).mean() < 12


def test_figure_is_cut_by_the_picture_only(presenter: AtlasAvatar) -> None:
    """In a wide picture nothing of the figure ends in the open, however it moves."""
    for size in ((1280, 720), (720, 1280)):
        avatar = presenter.framed(size)
        for pose in (STILL, Pose(yaw=8, roll=6), Pose(yaw=-8, roll=-6, breath=1, sway_y=-3)):
            alpha = avatar.cutout(0, None, pose)[..., 3].astype(int)
            bottom = alpha[-1] > 128
            assert (alpha[-6][bottom] > 100).mean() > 0.95  # outlines may be slanted
            # A straight edge of the canvas would be a long column of full steps.
            assert (np.abs(np.diff(alpha, axis=1)) > 200).sum(0).max() < 40


def test_parts_are_shared_between_backgrounds(drawn: AtlasAvatar, noise: Background) -> None:
    elsewhere = drawn.with_background(noise)
    assert elsewhere.stage is drawn.stage and drawn.with_background(drawn.background) is drawn
    assert drawn.framed((256, 256)) is drawn
    assert load_avatar(drawn.path, (256, 256), noise).stage is drawn.stage


def test_background_stays_still_and_shows_through(
    presenter: AtlasAvatar, noise: Background
) -> None:
    elsewhere = presenter.with_background(noise)
    behind = noise.picture((512, 512), (0, 0, 0), (0, 0, 0))
    for pose in (STILL, Pose(yaw=3, roll=2, sway_x=2)):
        clear = presenter.cutout(0, Mouth(OPEN), pose)[..., 3] == 0
        assert clear.mean() > 0.1
        np.testing.assert_array_equal(show(elsewhere, OPEN, pose)[clear], behind[clear])
    face = presenter.cutout(0, Mouth(OPEN), STILL)[..., 3] == 255
    assert face.mean() > 0.2
    np.testing.assert_array_equal(show(elsewhere, OPEN)[face], show(presenter, OPEN)[face])


# -- the face -----------------------------------------------------------------------------


def test_mouths_differ_only_inside_their_box(presenter: AtlasAvatar) -> None:
    left, top, width, height = presenter.stage.mouth_place
    rest = show(presenter, None)
    shapes = {(o, r): MouthShape(o, r) for o, r in grid(presenter)}
    shapes |= {c: MouthShape(0, 0, c, 1) for c in ("PP", "FF", "TH", "CH", "SS")}
    for place, shape in shapes.items():
        change = difference(show(presenter, shape), rest)
        outside = change.copy()
        outside[top : top + height, left : left + width] = 0
        assert outside.max() == 0, place
        if place != (0.0, 0.0):
            assert (change > 8).sum() > 20, place


def test_no_seam_at_the_box(presenter: AtlasAvatar) -> None:
    """Along the border of the box nothing may change suddenly between mouths."""
    left, top, width, height = presenter.stage.mouth_place
    change = difference(show(presenter, OPEN), show(presenter, None))
    ring = np.ones((height, width), bool)
    ring[4:-4, 4:-4] = False
    assert change[top : top + height, left : left + width][ring].max() <= 8


def test_rest_is_no_mouth_and_weight_zero(presenter: AtlasAvatar) -> None:
    rest = show(presenter, None)
    faded = presenter.compose(0, Mouth(OPEN, weight=0), STILL)
    np.testing.assert_array_equal(rest, faded)
    np.testing.assert_array_equal(rest, show(presenter, MouthShape()))


@pytest.mark.parametrize("smile", [0.0, 1.0])
def test_pressed_lips_are_closed(presenter: AtlasAvatar, smile: float) -> None:
    pose = Pose(smile=smile)
    closed = show(presenter, PRESSED, pose)
    assert dark(presenter, closed) <= 3
    assert dark(presenter, show(presenter, OPEN, pose)) > 40
    np.testing.assert_array_equal(closed, show(presenter, MouthShape(0.9, 0.3, "PP", 1.0), pose))


def test_fading_goes_through_shapes_not_through_ghosts(drawn: AtlasAvatar) -> None:
    half = drawn.compose(0, Mouth(OPEN, weight=0.5), STILL)
    np.testing.assert_array_equal(half, show(drawn, MouthShape(0.4, 0.0)))


@pytest.mark.parametrize(
    ("a", "b"),
    [(MouthShape(), MouthShape(1.0, 0.0)), (MouthShape(0.2, 1.0), MouthShape(0.8, -1.0))],
)
def test_in_betweens_are_sharp(presenter: AtlasAvatar, a: MouthShape, b: MouthShape) -> None:
    """A cross-fade keeps half of both pictures' edges; a real in-between has full ones."""
    middle = MouthShape((a.openness + b.openness) / 2, (a.rounding + b.rounding) / 2)
    first, last = lips(presenter, show(presenter, a)), lips(presenter, show(presenter, b))
    fade = cv2.addWeighted(first, 0.5, last, 0.5, 0)
    morphed = lips(presenter, show(presenter, middle))
    assert _edges(morphed) > 0.75 * min(_edges(first), _edges(last))
    assert _edges(morphed) > 1.1 * _edges(fade)


def _edges(image: Image) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(np.sort(size.ravel())[-200:].mean())


def test_in_betweens_look_like_the_real_ones(presenter: AtlasAvatar) -> None:
    """Leave a rendered picture out and rebuild it from those above and below: the morph must be
    much nearer to it than the cross-fade, which shows two mouths."""
    patches, index = presenter.package.mouth, grid(presenter)
    here = View(0, 0, 1)
    morph, fade = (
        Morph(patches, here),
        Morph(replace(patches, coefficients=None, fields=None), here),
    )
    columns: dict[float, list[float]] = defaultdict(list)
    for openness, rounding in sorted(index):
        columns[rounding].append(openness)
    ratios = []
    for rounding, rows in columns.items():
        for below, openness, above in zip(rows, rows[1:], rows[2:], strict=False):
            share = (openness - below) / (above - below)
            parts = [(index[below, rounding], 1 - share), (index[above, rounding], share)]
            true = patches.images[index[openness, rounding]]
            ratios.append(_error(morph.patch(parts), true) / _error(fade.patch(parts), true))
    assert np.median(ratios) < 0.6 and max(ratios) < 0.95


def _error(image: Image, true: Image) -> float:
    """Mean squared error where the mouth is."""
    height, width = image.shape[:2]
    middle = np.s_[height // 5 : height * 2 // 3, width * 3 // 10 : width * 7 // 10, :3]
    return float(((image[middle].astype(float) - true[middle]) ** 2).mean())


def test_mouth_opens_without_jumps(presenter: AtlasAvatar) -> None:
    """Small steps of the shape make small steps of the picture, across every picture's place."""
    steps = [show(presenter, MouthShape(o, 0.1)) for o in np.linspace(0, 1, 41)]
    changes = [
        float(difference(lips(presenter, a), lips(presenter, b)).mean())
        for a, b in itertools.pairwise(steps)
    ]
    assert max(changes) < 4 * np.median(changes) + 1


def test_blink_gaze_and_brows_move_the_eyes_only(presenter: AtlasAvatar) -> None:
    assert presenter.package.eyes is not None
    place = presenter.stage.view.rect(presenter.package.eyes.box)
    rest = show(presenter, None)
    poses = [Pose(blink=1), Pose(blink=0.5), Pose(gaze_x=1), Pose(gaze_y=-1), Pose(brow=1)]
    for pose in [*poses, Pose(brow=-1)]:
        change = difference(show(presenter, None, pose), rest)
        assert (change > 10).sum() > 30, pose
        change[place.slices] = 0
        assert change.max() == 0, pose


def test_half_closed_eyes_still_glance(presenter: AtlasAvatar) -> None:
    straight = show(presenter, None, Pose(blink=0.4))
    glance = show(presenter, None, Pose(blink=0.4, gaze_x=1))
    assert (difference(straight, glance) > 10).sum() > 20


def test_smile_changes_the_mouth(presenter: AtlasAvatar) -> None:
    for shape in (None, OPEN):
        change = difference(show(presenter, shape, Pose(smile=1)), show(presenter, shape))
        assert (change > 8).sum() > 50


# -- head and body ------------------------------------------------------------------------


def test_head_turns_over_a_still_body(presenter: AtlasAvatar) -> None:
    rest = show(presenter, OPEN)
    at = presenter.stage.view
    head = slice(0, int((presenter.package.chin - at.top) * at.scale))
    for pose in (Pose(yaw=8), Pose(pitch=-6), Pose(roll=6)):
        change = difference(show(presenter, OPEN, pose), rest)
        assert change[head].mean() > 1
        assert change[-12:].mean() < 1


def test_turned_heads_have_no_holes(presenter: AtlasAvatar) -> None:
    """Inside its outline the figure stays opaque: no gap opens between neck, hair and head."""
    for yaw, pitch, roll in itertools.product((-8, 0, 8), (-6, 6), (-6, 6)):
        alpha = presenter.cutout(0, Mouth(OPEN), Pose(yaw=yaw, pitch=pitch, roll=roll))[..., 3]
        holes, found = cv2.connectedComponents((alpha < 250).astype(np.uint8))
        outside = {0, *np.unique(found[0]), *np.unique(found[:, 0]), *np.unique(found[:, -1])}
        sizes = [int((found == i).sum()) for i in range(holes) if i not in outside]
        assert max(sizes, default=0) < 60, (yaw, pitch, roll)


def test_breath_and_sway_move_the_body(presenter: AtlasAvatar) -> None:
    rest = show(presenter, None)
    assert difference(show(presenter, None, Pose(breath=1)), rest)[400:].mean() > 0.3
    assert difference(show(presenter, None, Pose(sway_x=3)), rest)[:300].mean() > 1
